"""Trainings from the command: resumed, in 3D, with a worker process."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disanat.home import Home
from disanat.inference.model import load_model
from disanat.io.images import read_labels, read_scan
from disanat.locks import hold
from disanat.plans import Plans, load_json, save_json
from disanat.preparation import Preparation
from disanat.training.settings import TrainingSettings
from disanat.training.train import train


def test_resuming_goes_on_after_the_last_finished_epoch(
    miniature: Any, planned_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logs = {}
    for name, runs in {"once": [(2,)], "twice": [(1,), (2, "--resume")]}.items():
        home = tmp_path / name
        shutil.copytree(planned_home, home)
        miniature.shrink(home, 3)
        for epochs in runs:
            flags = ("-d", "5", "-np", 0, "--epochs", *epochs, "--home", home, "--device", "cpu")
            with caplog.at_level("INFO"):
                assert miniature.run("train", *flags) == 0
        folder = home / "results" / "Dataset005_Mini" / "dal__2d" / "fold_0"
        logs[name] = (folder / "training_log.txt").read_text().splitlines()
        assert json.loads((folder / "model.json").read_text())["facts"]["epochs"] == 2
    assert "Going on after epoch 1." in caplog.messages
    assert [line.split(" | ")[0] for line in logs["once"]] == ["epoch 1/2", "epoch 2/2"]
    assert [line.split(" | ")[0] for line in logs["twice"]] == ["epoch 1/2", "epoch 2/2"]
    # The learning rate's course depends on the number of epochs, so the losses only resemble.
    first = [float(lines[0].split(" | ")[1].split()[1]) for lines in logs.values()]
    assert first[0] == pytest.approx(first[1], rel=0.02)


def test_the_same_command_goes_on_with_what_was_interrupted(
    miniature: Any,
    planned_home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    miniature.shrink(home, 2)
    flags = ("-d", "5", "-np", 0, "-m", "hf", "--home", home, "--device", "cpu")
    folder = home / "results" / "Dataset005_Mini" / "hf__2d" / "fold_0"
    assert miniature.run("train", *flags) == 0
    whole = load_model(folder)
    capsys.readouterr()
    assert miniature.run("train", *flags) == 0
    assert "fold_0 is finished with just these settings: kept (--restart: anew)" in (
        capsys.readouterr().err
    )

    (folder / "checkpoint_final.pt").write_bytes(b"spoilt")
    assert miniature.run("train", *flags) == 0
    assert "epoch 1/" in capsys.readouterr().err

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("disanat.training.train.calibrate", stop)
        assert miniature.run("train", *flags, "--restart") == 130
    assert not (folder / "model.json").exists()
    assert miniature.run("train", *flags, "--seed", 4) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "was interrupted and began otherwise (seed 0, now 4): give the same command" in said
    assert miniature.run("train", *flags) == 0
    told = capsys.readouterr().err
    assert "was interrupted: going on with it (--restart: anew)" in told and "epoch 1/" not in told
    again = load_model(folder)
    assert again.calibration == whole.calibration
    state = whole.method.networks().state_dict()
    for name, value in again.method.networks().state_dict().items():
        assert torch.equal(value, state[name])
    assert miniature.run("train", *flags, "--seed", 4) == 0  # finished, but with another seed
    assert "epoch 1/" in capsys.readouterr().err
    cases = home / "preprocessed" / "Dataset005_Mini" / "2d"
    facts = json.loads((cases / "h0.json").read_text())
    (cases / "h0.json").write_text(json.dumps(facts | {"made_from": "another file"}))
    assert miniature.run("train", *flags, "--seed", 4) == 0
    assert "epoch 1/" in capsys.readouterr().err


def test_two_trainings_into_one_folder(
    miniature: Any, planned_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    folder = home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    flags = ("-d", "5", "-m", "threshold", "--home", home, "--device", "cpu")
    with hold(folder, "training"):
        assert miniature.run("train", *flags) == 2
    assert f"error: {folder} is in use by training for" in capsys.readouterr().err
    with hold(home / "preprocessed" / "Dataset005_Mini" / "2d", "preprocessing"):
        assert miniature.run("train", *flags) == 2
    assert "2d is in use by preprocessing for" in capsys.readouterr().err


def test_resuming_under_another_plan_is_refused(
    miniature: Any, planned_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    miniature.shrink(home, 2)
    flags = ("-d", "5", "-np", 0, "-m", "ae", "--home", home, "--device", "cpu")
    assert miniature.run("train", *flags, "--epochs", 1) == 0
    source = home / "preprocessed" / "Dataset005_Mini" / "plans.json"
    plans = load_json(source, Plans)
    made = plans.configuration("2d")
    other = replace(made, norm="group", epochs=9, batch_size=6, restorer=made.comparator)
    save_json(replace(plans, configurations={"2d": other}), source)
    assert miniature.run("train", *flags, "--epochs", 2, "--resume") == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "ae__2d/fold_0 began under another plan (batch_size 8, now 6, norm instance, now" in said
    assert said.endswith("group): train anew with --restart, or plan again as before.")
    usual = replace(plans, configurations={"2d": replace(made, epochs=9)})
    save_json(replace(usual, preparation=Preparation(bias_correction=True)), source)
    assert miniature.run("train", *flags, "--epochs", 2, "--resume") == 2
    assert "another preparation" in capsys.readouterr().err
    save_json(usual, source)
    assert miniature.run("train", *flags, "--epochs", 2, "--resume") == 0


def test_blocks_in_3d_with_a_worker_process(
    miniature: Any, planned_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    assert miniature.run("plan", "-d", "5", "--home", home, "-np", 0, "-c", "3d_fullres") == 0
    plans = load_json(home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)
    assert plans.configuration("3d_fullres").dimension == 3
    assert set(plans.configurations) == {"2d", "3d_fullres"}
    miniature.shrink(home, 2)
    flags = (
        "-d",
        "5",
        "-c",
        "3d_fullres",
        "--epochs",
        1,
        "-np",
        1,
        "--home",
        home,
        "--device",
        "cpu",
    )
    assert miniature.run("train", *flags) == 0
    miniature.write(
        tmp_path / "one.nii.gz", miniature.brain(100, "flair", lesion=True).image, orientation="RPS"
    )
    put = ("-i", tmp_path / "one.nii.gz", "-o", tmp_path / "out", "--home", home)
    assert miniature.run("predict", *put) == 0
    with open(tmp_path / "out" / "predictions.csv", encoding="utf-8") as handle:
        assert next(csv.DictReader(handle))["status"] == "ok"
    anomaly = read_scan(tmp_path / "out" / "one_anomaly.nii.gz")
    brain = read_labels(tmp_path / "out" / "one_brainmask.nii.gz").array > 0
    assert anomaly.geometry.orientation == "RPS"
    np.testing.assert_array_equal(anomaly.array[~brain], 0)
    assert np.isfinite(anomaly.array).all() and anomaly.array[brain].std() > 0


@pytest.mark.parametrize("native", ["float32", "bfloat16"])
def test_a_device_without_bfloat16_takes_float32_and_says_so(
    miniature: Any,
    planned_home: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    native: str,
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    source = home / "preprocessed" / "Dataset005_Mini" / "plans.json"
    save_json(replace(load_json(source, Plans), number_format="bfloat16"), source)
    monkeypatch.setattr("disanat.training.train.native_format", lambda device: native)
    flags = ("-d", "5", "-m", "threshold", "--home", home, "--device", "cpu")
    assert miniature.run("train", *flags) == 0
    folder = home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    model = json.loads((folder / "model.json").read_text())
    assert model["plans"]["number_format"] == native
    assert ("has no instructions for" in caplog.text) == (native == "float32")


def test_an_ablated_training_has_a_folder_of_its_own_and_says_what_it_lacks(
    miniature: Any, planned_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    miniature.shrink(home, 2)
    flags = ("-d", "5", "-np", 0, "--epochs", 1, "--home", home, "--device", "cpu")
    assert miniature.run("train", *flags, "--ablate", "soft", "no_prior") == 0
    results = home / "results" / "Dataset005_Mini"
    assert [folder.name for folder in results.iterdir()] == ["dal__2d__no_prior+soft"]
    model = load_model(results / "dal__2d__no_prior+soft" / "fold_0")
    assert model.configuration.ablations == ("no_prior", "soft")
    assert model.method.configuration.ablations == ("no_prior", "soft")
    assert not model.plans.configuration().ablations


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ablate", "sharp"), "There is no ablation 'sharp'"),
        (("--ablate", "soft", "gumbel"), "soft and gumbel contradict each other"),
        (("-m", "threshold", "--ablate", "t1_only"), "to leave out: use --ablate with -m dal."),
        (("--ablate", "random_encoder"), "Method dal has no random_encoder to go without: give"),
        (("-m", "ccddpm", "--ablate", "soft"), "of free_contrasts, t1_only, random_encoder."),
        (("-m", "ae", "--ablate", "soft"), "with -m dal (or only free_contrasts or t1_only)."),
    ],
)
def test_wrong_ablations_are_one_sentence(
    miniature: Any,
    planned_home: Path,
    words: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert miniature.run("train", "-d", "5", "--home", planned_home, *words) == 2
    assert said in capsys.readouterr().err


def test_what_training_sees_may_change_for_every_method(
    miniature: Any, planned_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    miniature.shrink(home, 2)
    flags = ("-d", "5", "-m", "ae", "-np", 0, "--epochs", 1, "--home", home, "--device", "cpu")
    assert miniature.run("train", *flags, "--ablate", "t1_only") == 0
    model = load_model(home / "results" / "Dataset005_Mini" / "ae__2d__t1_only" / "fold_0")
    assert model.method.name == "ae" and model.configuration.ablations == ("t1_only",)


@pytest.mark.parametrize(
    ("budget", "stopped"), [({"minutes": 0.02}, "minutes"), ({"epochs": 1}, "epochs")]
)
def test_a_model_says_why_its_training_ended_and_lies_where_it_is_told_to(
    miniature: Any, planned_home: Path, tmp_path: Path, budget: dict[str, Any], stopped: str
) -> None:
    shutil.copytree(planned_home, tmp_path / "home")
    miniature.shrink(tmp_path / "home", 2)
    home, settings = Home(tmp_path / "home"), TrainingSettings(**budget)
    folder = tmp_path / "elsewhere"
    assert train(home, "Dataset005_Mini", "ae", settings=settings, folder=folder) == folder
    assert not home.results.exists()
    facts = json.loads((folder / "model.json").read_text())["facts"]
    assert facts["stopped"] == stopped
    assert facts["epochs"] == len((folder / "training_log.txt").read_text().splitlines()) > 0
    if stopped == "minutes":
        assert facts["epochs"] == load_model(folder).configuration.epochs
