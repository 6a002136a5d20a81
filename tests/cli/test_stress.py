"""`disanat_stress` on a miniature model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.cli.stress import build_parser, main
from disanat.experiments.stress_kinds import DEGRADATIONS


@pytest.fixture(scope="module")
def inputs(miniature: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stress")
    for name, ill in (("h", False), ("i", True)):
        brain = miniature.brain(5, "flair", lesion=ill)
        miniature.write(folder / "scans" / f"{name}_0000.nii.gz", brain.image)
        miniature.write(folder / "scans" / f"{name}_0001.nii.gz", miniature.brain(5).image)
        mask = (brain.labels > 0).astype(np.uint8)
        miniature.write(folder / "masks" / f"{name}.nii.gz", mask)
    miniature.write(folder / "labels" / "i.nii.gz", brain.lesion.astype(np.uint8))
    return folder


def flags(inputs: Path, home: Path, out: Path, *more: str) -> list[str]:
    where = ["-i", str(inputs / "scans"), "-o", str(out), "--home", str(home), "--device", "cpu"]
    return [*where, "-m", "threshold", *more]


def rows(out: Path) -> list[dict[str, str]]:
    with open(out / "stress.csv", newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_table_figure_and_page(
    inputs: Path, trained_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["-l", str(inputs / "labels"), "--only", "slices", "scale", "--restore", "1"]
    given = flags(
        inputs, trained_home, tmp_path, *more, "-d", "5", "-c", "2d", "-f", "0", "--seed", "4",
        "--brain_masks", str(inputs / "masks"),
    )  # fmt: skip
    assert main(given) == 0
    told = capsys.readouterr().out
    page = (tmp_path / "stress.md").read_text(encoding="utf-8")
    assert told.startswith(page) and "1 with lesions, 1 healthy; channel 1 guides" in page
    assert "- seed: 4" in page and "threshold on Dataset005_Mini" in page
    found = rows(tmp_path)
    assert [r["degradation"] for r in found] == (
        ["untouched"] + 5 * ["slices"] + 5 * ["slices_restored"] + 5 * ["scale"]
    )
    assert float(found[0]["AP"]) == pytest.approx(float(found[-1]["AP"]), abs=0.01)
    assert (tmp_path / "stress.png").is_file()
    assert main(given) == 0
    assert (tmp_path / ".disanat" / "stress" / "h.json").is_file()


def test_one_channel_and_one_file(inputs: Path, trained_home: Path, tmp_path: Path) -> None:
    given = flags(inputs, trained_home, tmp_path, "--only", "inverted", "--use_channels", "1")
    given[1] = str(inputs / "scans" / "h_0001.nii.gz")
    assert main(given) == 0
    assert len(rows(tmp_path)) == 2
    record = json.loads((tmp_path / ".disanat" / "stress" / "h.json").read_text())
    assert [r["degradation"] for r in record["results"]] == ["untouched", "inverted"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--only", "blur"], "There is no degradation 'blur': give --only some of"),
        (["--seed", "-1"], "--seed -1 is below 0: give 0 or more."),
        (["--restore", "7"], "has a channel 7: give --restore"),
        (["--use_channels", "3"], "No case has a channel 3"),
        (["-l", "nowhere"], "nowhere is not a folder: give the folder of expert masks with -l"),
        (["--brain_masks", "nowhere"], "nowhere is not a folder: give the folder of brain masks"),
        (["-m", "nothing"], "'nothing' is neither a folder nor a method"),
        (["-d", "9"], "There is no dataset '9'"),
        (["-i", "nowhere"], "nowhere does not exist: check the path given with -i"),
    ],
)
def test_a_mistake_is_one_sentence(
    inputs: Path, trained_home: Path, tmp_path: Path, more: list[str], said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main(flags(inputs, trained_home, tmp_path / "out", *more)) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: ") and said in told
    assert not (tmp_path / "out" / "stress.md").exists()


def test_a_bad_scan_is_exit_code_one(
    inputs: Path, trained_home: Path, tmp_path: Path, miniature: Any
) -> None:
    miniature.write(tmp_path / "scans" / "a.nii.gz", miniature.brain(5).image)
    (tmp_path / "scans" / "bad.nii.gz").write_bytes(b"no image")
    given = flags(inputs, trained_home, tmp_path / "out", "--only", "inverted")
    given[1] = str(tmp_path / "scans")
    assert main(given) == 1
    assert "- bad is left out: " in (tmp_path / "out" / "stress.md").read_text(encoding="utf-8")


def test_the_help_names_every_degradation() -> None:
    told = " ".join(build_parser().format_help().split())
    assert all(d.name in told for d in DEGRADATIONS if d.name != "slices_restored")
