"""The command `disanat_plan_and_preprocess`: its flags, files and exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from planning_command import SHAPE, run, write

import planning
from disanat.errors import PlanError
from disanat.io.store import open_case
from disanat.plans import Fingerprint, Plans, load_json
from planning import cli, fingerprint


def test_files_decisions_and_preprocessing(
    home: Path, prepared: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "-d", "7") == 0
    folder = home / "preprocessed" / "Dataset007_Small"
    plans = load_json(folder / "plans.json", Plans)
    assert load_json(folder / "dataset_fingerprint.json", Fingerprint).dataset == plans.dataset
    assert json.loads((folder / "dataset.json").read_text())["channel_names"] == {"0": "T1"}
    printed = " ".join(capsys.readouterr().out.split())
    assert all(" ".join(d.reason.split()) in printed for d in plans.decisions)
    [(_, dataset, given, configuration, processes)] = prepared
    assert (dataset, given, processes) == ("Dataset007_Small", plans, 0)
    assert configuration == plans.configuration("2d")


def test_planning_twice_writes_the_same_bytes(home: Path, prepared: list[Any]) -> None:
    folder = home / "preprocessed" / "Dataset007_Small"
    texts = []
    for _ in range(2):
        assert run(home, "-d", "Dataset007_Small", "--gpu_memory_gb", "8") == 0
        texts.append((folder / "plans.json").read_bytes())
    assert texts[0] == texts[1]


def test_a_second_run_measures_only_what_changed(
    home: Path, prepared: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    source = home / "preprocessed" / "Dataset007_Small" / "dataset_fingerprint.json"
    assert run(home, "-d", "7") == 0
    assert "unchanged" not in caplog.text
    first = source.read_bytes()
    assert run(home, "-d", "7", "--plans_name", "other") == 0  # plans share the fingerprint
    assert "4 of 4 cases unchanged since the last time." in caplog.text
    assert source.read_bytes() == first
    write(home / "raw/Dataset007_Small/imagesTr/c1_0000.nii.gz", seed=9)
    assert run(home, "-d", "7") == 0
    assert "3 of 4 cases unchanged since the last time." in caplog.text
    assert source.read_bytes() != first


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[:-40], "cannot be read as JSON"),
        (lambda text: text.replace('"schema_version": 3', '"schema_version": 2'), "version 2"),
        (lambda text: text.replace('"noise"', '"nose"'), "not a valid Fingerprint"),
    ],
)
def test_a_former_fingerprint_that_cannot_be_used_is_measured_again(
    home: Path,
    prepared: list[Any],
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[str], str],
    words: str,
) -> None:
    source = home / "preprocessed" / "Dataset007_Small" / "dataset_fingerprint.json"
    assert run(home, "-d", "7") == 0
    text = source.read_text()
    source.write_text(spoil(text))
    caplog.clear()
    assert run(home, "-d", "7") == 0
    [line] = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert words in line and line.endswith("all cases are measured again.")
    assert source.read_text() == text


def test_verify_reads_everything(
    home: Path, prepared: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(home, "-d", "7") == 0
    seen: list[str] = []
    take = fingerprint.read_scan
    monkeypatch.setattr(
        fingerprint, "read_scan", lambda path: (seen.append(path.name[:2]), take(path))[1]
    )
    assert run(home, "-d", "7", "--verify") == 0
    assert seen == ["c0", "c1", "c2", "c3"]


def test_no_pp_only_plans(home: Path, prepared: list[Any]) -> None:
    assert run(home, "-d", "007", "--no_pp") == 0
    assert prepared == []


def test_gpu_memory_plans_for_a_gpu(home: Path, prepared: list[Any]) -> None:
    assert run(home, "-d", "7", "--gpu_memory_gb", "8") == 0
    plans = load_json(home / "preprocessed" / "Dataset007_Small" / "plans.json", Plans)
    assert (plans.device, plans.memory_gb, plans.overridden) == ("cuda", 8.0, ("gpu_memory_gb 8",))


def unlabelled(miniature: Any, home: Path) -> Path:
    """The miniature dataset without its label maps."""
    folder = miniature.dataset(home)
    shutil.rmtree(folder / "priorsTr")
    (folder / "dataset.json").write_text('{"channel_names": {"0": "T1"}}')
    return home / "preprocessed" / miniature.dataset_name


def test_the_shipped_encoder_names_the_tissues(
    tmp_path: Path, miniature: Any, ship: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """In worker processes too, where nothing of this test's patching is known."""
    folder = unlabelled(miniature, tmp_path)
    ship()
    assert cli.main(["--home", str(tmp_path), "-np", "1", "-d", "5"]) == 0
    plans = load_json(folder / "plans.json", Plans)
    assert plans.prior == "encoder" and plans.classes == ("csf", "grey", "white")
    assert "that ships with disanat (dal on Dataset005_Mini" in " ".join(
        capsys.readouterr().out.split()
    )
    for number in range(5):
        truth = miniature.brain(number).labels
        box = tuple(slice(max(0, i.min() - 2), i.max() + 3) for i in np.nonzero(truth))
        labels = open_case(folder / "2d", f"h{number}").labels[:]
        inside = truth[box] > 0
        assert (labels == truth[box])[inside].mean() > 0.75 and not labels[~inside].any()


def test_the_atlas_can_be_kept(
    tmp_path: Path,
    miniature: Any,
    ship: Callable[[], Path],
    prepared: list[Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = unlabelled(miniature, tmp_path)
    assert run(tmp_path, "-d", "5", "--prior", "encoder") == 2
    assert "installed without a trained model" in capsys.readouterr().err
    ship()
    assert run(tmp_path, "-d", "5", "--prior", "atlas") == 0
    plans = load_json(folder / "plans.json", Plans)
    assert plans.prior == "atlas" and plans.overridden == ("prior atlas",)


def test_the_registration_of_the_atlas_is_planned_and_handed_down(
    tmp_path: Path,
    miniature: Any,
    ship: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = unlabelled(miniature, tmp_path)
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "disanat.preprocessing.dataset.preprocess_dataset", lambda *_, **more: given.append(more)
    )
    with caplog.at_level("INFO"):
        assert run(tmp_path, "-d", "5") == 0
    assert "No model ships that sees anatomies: the atlas is registered by inten" in caplog.text
    where = ship()
    for flags, route in (((), "anatomy"), (("--atlas_registration", "intensity"), "intensity")):
        caplog.clear()
        assert run(tmp_path, "-d", "5", "--prior", "atlas", *flags) == 0
        assert load_json(folder / "plans.json", Plans).atlas_registration == route
        assert "No model ships" not in caplog.text
    without, sight, none = given
    assert without["atlas_sight"] is none["atlas_sight"] is None
    assert without["tissues_from"] == none["tissues_from"] == ""
    assert sight["atlas_sight"].folder == where and sight["tissue_estimator"] is None
    assert sight["tissues_from"].startswith("atlas by anatomy, 20")


def test_a_second_configuration_joins_the_first(home: Path, prepared: list[Any]) -> None:
    assert run(home, "-d", "7") == 0
    assert run(home, "-d", "7", "-c", "3d_fullres") == 0
    plans = load_json(home / "preprocessed" / "Dataset007_Small" / "plans.json", Plans)
    assert set(plans.configurations) == {"2d", "3d_fullres"} and plans.recommended == "2d"
    assert [call[3].name for call in prepared] == ["2d", "3d_fullres"]


def test_what_an_expert_sets_is_planned_under_a_name(
    home: Path, prepared: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "-d", "7") == 0
    usual = (home / "preprocessed" / "Dataset007_Small" / "plans.json").read_bytes()
    flags = ("--overwrite_target_spacing", "3", "3", "3", "--batch_size", "4", "--norm", "group")
    assert run(home, "-d", "7", "--plans_name", "coarse", "--patch_size", "64", "48", *flags) == 0
    folder = home / "preprocessed" / "Dataset007_Small"
    assert (folder / "plans.json").read_bytes() == usual
    plans = load_json(folder / "plans_coarse" / "plans.json", Plans)
    made = plans.configuration("2d")
    assert (made.spacing, made.patch_size, made.batch_size) == ((3.0, 3.0, 3.0), (64, 48), 4)
    assert plans.name == "coarse" and prepared[-1][2] == plans
    assert made.norm == "group"
    assert plans.overridden == (
        "target_spacing 3 3 3",
        "patch_size 64 48",
        "batch_size 4",
        "norm group",
    )
    capsys.readouterr()
    assert run(home, "-d", "7", "--plans_name", "coarse", "--explain") == 0
    assert "Set by you: target_spacing 3 3 3, patch_size 64 48" in capsys.readouterr().out


def whole_heads(home: Path) -> Path:
    """Noise instead of a constant background: only the brain is bright."""
    folder = home / "raw/Dataset007_Small/imagesTr"
    for number in range(4):
        path = folder / f"c{number}_0000.nii.gz"
        image = sitk.ReadImage(str(path))
        array = sitk.GetArrayFromImage(image)
        noise = np.random.default_rng(number).uniform(0, 9, SHAPE)
        noisy = sitk.GetImageFromArray(np.where(array > 0, array, noise).astype(np.float32))
        noisy.CopyInformation(image)
        sitk.WriteImage(noisy, str(path))
    return home


def test_a_tool_of_others_is_used_and_kept_in_the_plan(
    home: Path,
    prepared: list[Any],
    fake_tools: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = whole_heads(home) / "preprocessed" / "Dataset007_Small"
    flags = ("-d", "7", "--brain_mask_tool", "hd-bet")
    assert run(home, *flags, "--verify") == 0
    assert fake_tools.read_text().count("hd-bet -i") == 4
    assert run(home, *flags) == 0
    plans = load_json(folder / "plans.json", Plans)
    assert plans.brain_mask_tool == prepared[0][2].brain_mask_tool == "hd-bet"
    assert plans.overridden == ("brain_mask_tool hd-bet",)
    assert "brain in whole heads: hd-bet" in capsys.readouterr().out
    cases = load_json(folder / "dataset_fingerprint.json", Fingerprint).cases
    assert {case.brain_from for case in cases} == {"hd-bet"}
    assert all(case.brain_volume_ml == pytest.approx(612, abs=1) for case in cases)
    calls = fake_tools.read_text()
    assert run(home, *flags) == 0
    assert fake_tools.read_text() == calls  # the same content, by the same tool
    assert run(home, "-d", "7", "--brain_mask_tool", "synthstrip") == 0
    assert fake_tools.read_text().count("mri_synthstrip -i") == 4
    monkeypatch.setenv("PATH", str(home))
    before = (folder / "plans.json").read_bytes()
    assert run(home, *flags) == run(home, *flags, "--verify") == 2
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(errors) == 2 and "hd-bet is not on the PATH: install it" in errors[0]
    assert (folder / "plans.json").read_bytes() == before


def test_explain_prints_the_last_plan_and_does_nothing_else(
    home: Path, prepared: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(home, "-d", "7", "--explain") == 2
    assert "disanat_plan_and_preprocess -d 7" in capsys.readouterr().err
    assert run(home, "-d", "7", "--no_pp") == 0
    first = capsys.readouterr().out
    assert run(home, "-d", "7", "--explain") == 0
    assert capsys.readouterr().out == first
    assert prepared == []


def test_verify_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "-d", "7", "--verify") == 0
    assert "all 4 cases can be used" in capsys.readouterr().out
    write(home / "raw/Dataset007_Small/imagesTr/c1_0001.nii.gz", spacing=4.0)
    declared = '{"channel_names": {"0": "T1", "1": "T2"}}'
    (home / "raw/Dataset007_Small/dataset.json").write_text(declared)
    assert run(home, "-d", "7", "--verify") == 2
    out = capsys.readouterr().out
    assert "another grid" in " ".join(out.split()) and "1 of 4 cases cannot be used" in out
    assert not (home / "preprocessed").exists()


def test_the_python_function(home: Path, prepared: list[Any]) -> None:
    plans = planning.plan_and_preprocess(
        "7", home, gpu_memory_gb=8, processes=0, preprocess=False, progress=False
    )
    assert plans.dataset == "Dataset007_Small" and prepared == []
    with pytest.raises(PlanError, match="use 2d or 3d_fullres"):
        planning.plan_and_preprocess("7", home, configurations=("5d",), processes=0)


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert "disanat_plan_and_preprocess -d 5 --verify" in text and "imagesTr" in text
