"""Several processes that train one network together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from mini_brains import DATASET, run_main

from disanat.errors import PlanError
from disanat.methods.registry import get_method
from disanat.networks.whole_batch import over_batch
from disanat.plans import Plans, load_json
from disanat.training.launch import launch
from disanat.training.loaders import Renderer, to_tensors
from disanat.training.loop import trained_epochs
from disanat.training.ranks import ALONE, Ranks, joined, present_ranks
from disanat.training.settings import TrainingSettings
from disanat.training.trainer import Trainer

BRAINS = 3
"""In a batch; two processes have unequal shares of them."""
CHECKED = (("dal", ()), ("dal", ("no_anomaly_training",)), ("hf", ()))
"""Methods that draw nothing at random in their losses."""


@pytest.fixture(scope="module")
def folder(planned_home: Path) -> Path:
    return planned_home / "preprocessed" / DATASET


@pytest.fixture(scope="module")
def plans(folder: Path) -> Plans:
    plans = load_json(folder / "plans.json", Plans)
    chosen = replace(plans.configuration("2d"), batch_size=2 * BRAINS)
    # In bfloat16, where a machine has it, sums of parts differ from the whole by its rounding.
    return replace(plans, configurations={"2d": chosen}, number_format="float32")


def test_the_parts_of_a_batch_are_the_whole_batch(folder: Path, plans: Plans) -> None:
    draw = (folder / "2d", ("h0", "h1"), plans, plans.configuration("2d"), 5)
    whole = Renderer(*draw).batch(7)
    parts = [
        Renderer(*draw, pairs=Ranks(rank, 2).pairs(plans.configuration("2d"))).batch(7)
        for rank in (0, 1)
    ]
    for key, values in whole.items():
        np.testing.assert_array_equal(np.r_[values[:2], values[4:]], parts[0][key])
        np.testing.assert_array_equal(values[2:4], parts[1][key])
    shares = [Ranks(rank, 2).share(plans.configuration("2d")) for rank in (0, 1)]
    assert shares == pytest.approx([2 / 3, 1 / 3])


def test_more_processes_than_brains_in_a_batch_are_refused(plans: Plans) -> None:
    few = replace(plans.configuration("2d"), batch_size=2)
    with pytest.raises(PlanError, match=r"4 processes .* hold 3 brains each: train with at most 3"):
        Ranks(0, 4).check(plans.configuration("2d"))
    with pytest.raises(PlanError, match=r"hold 1 brain each: train in one, or plan"):
        Ranks(1, 2).check(few)
    ALONE.check(few)


def test_alone_nothing_is_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    sums = torch.ones(2)
    assert over_batch(sums) is sums and ALONE.summed(sums) is sums
    assert ALONE.gathered([1, 2]) == [1, 2]
    with joined("cpu") as ranks:
        assert ranks == present_ranks() == ALONE


def gradients(folder: Path, plans: Plans, which: int, ranks: Ranks) -> list[torch.Tensor]:
    """Losses, then gradients after one backward pass; a process's part of the batch."""
    name, ablations = CHECKED[which]
    chosen = replace(plans.configuration("2d"), ablations=ablations)
    torch.manual_seed(which)
    method = get_method(name)(plans, chosen)
    trainer = Trainer(method, chosen, TrainingSettings(), ranks=ranks)
    source = Renderer(folder / "2d", ("h0", "h1"), plans, chosen, 0, pairs=ranks.pairs(chosen))
    losses = trainer.backward(to_tensors(source.batch(2), torch.device("cpu")))
    found = [p.grad for p in trainer.networks.parameters() if p.grad is not None]
    return [torch.tensor(list(losses.values())), *found]


_SHARED = """
import sys; sys.path[:0] = {path!r}
import torch
from pathlib import Path
from test_ranks import CHECKED, gradients
from disanat.plans import Plans, load_json
from disanat.training.ranks import joined
torch.set_num_threads(1)
with joined("cpu") as ranks:
    plans = load_json(Path({plans!r}), Plans)
    found = [gradients(Path({folder!r}), plans, i, ranks) for i in range(len(CHECKED))]
    if ranks.rank == 1:
        torch.save(found, {out!r})
    if not ranks.leads:
        assert ranks.received() is None
"""


def test_two_processes_have_the_losses_and_gradients_of_the_whole_batch(
    folder: Path, plans: Plans, tmp_path: Path
) -> None:
    from disanat.plans import save_json

    save_json(plans, tmp_path / "plans.json")
    here = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "support")]
    values: dict[str, Any] = {"path": here, "folder": str(folder), "out": str(tmp_path / "found")}
    script = _SHARED.format(plans=str(tmp_path / "plans.json"), **values)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script], env={**os.environ, **place, "RANK": str(rank)}
        )
        for rank in (0, 1)
    ]
    whole = [gradients(folder, plans, i, ALONE) for i in range(len(CHECKED))]
    assert [process.wait(120) for process in processes] == [0, 0]
    for one, shared in zip(whole, torch.load(tmp_path / "found", weights_only=True), strict=True):
        torch.testing.assert_close(shared[0], one[0], rtol=1e-5, atol=1e-6)
        together, alone = (torch.cat([g.flatten() for g in gs[1:]]) for gs in (shared, one))
        assert float((together - alone).norm() / alone.norm()) < 1e-4


def test_a_dying_process_ends_all_with_a_sentence_and_one_alone_goes_on(
    planned_home: Path, tmp_path: Path, miniature: Any
) -> None:
    import shutil

    shutil.copytree(planned_home, tmp_path / "home")
    miniature.shrink(tmp_path / "home", 2)
    words = ["-d", "5", "-m", "ae", "-np", "0", "--home", str(tmp_path / "home")]
    command = [sys.executable, "-m", "disanat.cli.train", *words, "--num_cpu_ranks", "2"]
    model = tmp_path / "home" / "results" / DATASET / "ae__2d" / "fold_0"
    process = subprocess.Popen(
        [*command, "--epochs", "400"], stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    until = time.monotonic() + 120
    while not (model / "training_log.txt").exists() and time.monotonic() < until:
        time.sleep(0.1)
    ranks = psutil.Process(process.pid).children()
    assert len(ranks) == 2
    next(one for one in ranks if one.environ().get("RANK") == "1").send_signal(signal.SIGKILL)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    errors = [line for line in said.splitlines() if line.startswith("error")]
    assert errors == [
        "error: Process 2 of the 2 that trained together was ended by SIGKILL (often for want of "
        "memory), and the others were stopped: give the same command again to go on after the "
        "last epoch."
    ]
    assert "Traceback" not in said and said.count("Training ae") == 1
    assert not psutil.wait_procs(ranks, timeout=5)[1]
    done = len(trained_epochs(model))
    assert run_main("train", *words, "--epochs", done + 1, "--resume", "--device", "cpu") == 0
    records = trained_epochs(model)
    assert [r.epoch for r in records] == list(range(done + 1))
    assert (model / "model.json").exists()


def test_ranks_that_cannot_be_are_refused() -> None:
    with pytest.raises(PlanError, match="0 is no number of processes"):
        launch("disanat.cli.train", [], 0, "cpu")
    with pytest.raises(PlanError, match=r"--num_gpus 99, .*by --num_cpu_ranks"):
        launch("disanat.cli.train", [], 99, "cuda")


def test_a_device_that_contradicts_the_ranks_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_main("train", "--num_cpu_ranks", 2, "--device", "cuda") == 2
    assert "--device cuda does not go with --num_cpu_ranks" in capsys.readouterr().err
    assert run_main("train", "--num_gpus", 2, "--device", "cpu") == 2
    assert "--device cpu does not go with --num_gpus" in capsys.readouterr().err
