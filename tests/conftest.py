"""What all tests share: a miniature dataset of simulated brains, and a model trained on it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from mini_brains import DATASET, Miniature, make_dataset, run_main, shrink_plans

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """One thread for torch: with more, tests that share cores are many times slower."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _no_home_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own DISANAT_HOME must not decide what a test sees."""
    monkeypatch.delenv("DISANAT_HOME", raising=False)


@pytest.fixture(autouse=True)
def _nothing_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor must the model that ships with disanat; `ship` puts another one in its place."""
    monkeypatch.setattr("disanat.inference.bundled.bundled_folder", lambda: ROOT / "nothing_ships")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; tests that need it skip where it is absent."""
    folder = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}: set DISANAT_TEST_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def miniature() -> Miniature:
    """Makes miniature brains, datasets and runs."""
    return Miniature()


_FAKE_TOOL = """#!{python}
import sys
import SimpleITK as sitk

with open({log!r}, "a") as log:
    print(sys.argv[0].rpartition("/")[2], *sys.argv[1:], file=log)
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
mask = sitk.Cast(sitk.ReadImage(given["-i"]) > 15, sitk.sitkUInt8)
if "-m" in given:
    sitk.WriteImage(mask, given["-m"])
elif "--save_bet_mask" in sys.argv:
    sitk.WriteImage(mask, given["-o"].replace(".nii.gz", "_bet.nii.gz"))
"""


@pytest.fixture
def fake_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HD-BET and SynthStrip as small programs on the PATH; returns the log of their calls."""
    log, programs = tmp_path / "calls.txt", tmp_path / "programs"
    programs.mkdir()
    for name in ("hd-bet", "mri_synthstrip"):
        program = programs / name
        program.write_text(_FAKE_TOOL.format(python=sys.executable, log=str(log)))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return log


def _once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Any]) -> Path:
    """Build a folder once for all of pytest-xdist's workers."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / name
    with FileLock(shared / f"{name}.lock"):
        if not (shared / f"{name}.done").exists():
            folder.mkdir()
            build(folder)
            (shared / f"{name}.done").touch()
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], Any]], Path]:
    """Builds a folder of that name once for all workers, with the function given."""
    return lambda name, build: _once(tmp_path_factory, name, build)


@pytest.fixture(scope="session")
def planned_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose miniature dataset is planned and preprocessed as 2d; copy it to change it."""

    def build(home: Path) -> None:
        make_dataset(home)
        assert run_main("plan", "-d", "5", "--home", home, "-np", 0) == 0
        shrink_plans(home)

    return _once(tmp_path_factory, "planned_home", build)


@pytest.fixture(scope="session")
def trained_home(planned_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with dal trained for 2 epochs of 40 steps, then threshold; not to be changed."""

    def build(home: Path) -> None:
        shutil.copytree(planned_home, home, dirs_exist_ok=True)
        common = ("-d", "5", "--home", home, "--device", "cpu")
        assert run_main("train", *common, "--epochs", 2, "-np", 0) == 0
        assert run_main("train", *common, "-m", "threshold") == 0

    return _once(tmp_path_factory, "trained_home", build)


def teach(model_folder: Path, cases: Path, target: Path, steps: int = 60) -> None:
    """Teach a miniature model's encoder the tissues of the scans as they are, and save it.

    The training that all tests share is too short for that; this one is short because it renders
    nothing.
    """
    import torch

    from disanat.inference.model import load_model, save_model
    from disanat.io.store import open_case, stored_cases

    model = load_model(model_folder)
    encoder = model.method.networks()["encoder"].train()
    reach = model.configuration.context_slices
    images, truths = [], []
    for name in stored_cases(cases):
        case = open_case(cases, name)
        padding = ((reach, reach), (0, 0), (0, 0))
        stack = np.pad(case.image[0], padding, constant_values=-4.0)
        whole = tuple(slice(n // 4 * 4) for n in stack.shape[1:])
        images += [stack[(slice(i, i + 2 * reach + 1), *whole)] for i in range(len(case.labels[:]))]
        truths += [labels[whole] for labels in case.labels[:]]
    torch.manual_seed(0)
    rng, rate = np.random.default_rng(0), torch.optim.Adam(encoder.parameters(), 1e-2)
    for _ in range(steps):
        chosen = rng.choice(len(images), 8)
        shape = np.min([images[i].shape[1:] for i in chosen], axis=0)
        given = np.stack([images[i][:, : shape[0], : shape[1]] for i in chosen])
        wanted = np.stack([truths[i][: shape[0], : shape[1]] for i in chosen]).astype(np.int64)
        logits = encoder(torch.from_numpy(given))[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted))
        rate.zero_grad()
        loss.backward()
        rate.step()
    encoder.eval()
    facts = json.loads((model_folder / "model.json").read_text())["facts"]
    save_model(replace(model, folder=target), model.method.networks().state_dict(), facts)


@pytest.fixture(scope="session")
def taught_model(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature dal model whose encoder knows the tissues of T1-like scans."""
    results = trained_home / "results" / DATASET / "dal__2d" / "fold_0"
    cases = trained_home / "preprocessed" / DATASET / "2d"
    return _once(tmp_path_factory, "taught", lambda folder: teach(results, cases, folder))


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch, taught_model: Path, tmp_path: Path) -> Callable[[], Path]:
    """Ships that model; what it gives puts it in place and returns its folder."""

    def put() -> Path:
        folder = tmp_path / "package" / "dal"
        shutil.copytree(taught_model, folder)
        monkeypatch.setattr("disanat.inference.bundled.bundled_folder", lambda: folder)
        return folder

    return put
