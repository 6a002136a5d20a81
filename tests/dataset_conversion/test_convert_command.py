"""The command's flags, its lists, and what it says of mistakes."""

from __future__ import annotations

from pathlib import Path

import converter_files as written
import healthy_trees as healthy
import lesion_trees as ill
import pytest

from dataset_conversion.cli import build_parser, main
from dataset_conversion.registry import CONVERTERS

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    ill.mslub(tmp_path / "source")
    return ["-i", str(tmp_path / "source"), "--home", str(tmp_path / "home")]


def test_converts_and_prints_the_folder(words: list[str], capsys: Captured) -> None:
    assert main(["mslub", *words, "-d", "42", "--link", "--verbose"]) == 0
    assert capsys.readouterr().out.strip().endswith("Dataset042_MSLUB")
    assert main([*words, "-d", "42", "--link", "mslub"]) == 0


def test_channels(words: list[str], capsys: Captured) -> None:
    assert main(["mslub", *words, "--channels", "T1c", "FLAIR"]) == 0
    assert capsys.readouterr().out.strip().endswith("Dataset103_MSLUB_T1c_FLAIR")


def test_dry_run_shows_and_writes_nothing(
    words: list[str], tmp_path: Path, capsys: Captured
) -> None:
    assert main(["mslub", *words, "--dry_run"]) == 0
    said = capsys.readouterr().out
    assert "1 case would go to imagesTs, 1 of them with masks" in said
    assert "licence: CC BY" in said and "GOLD_STANDARD" in said
    assert not (tmp_path / "home").exists()


def test_dry_run_counts_what_is_made(tmp_path: Path, capsys: Captured) -> None:
    ill.lgg_kaggle(tmp_path / "source")
    assert main(["lgg", "-i", str(tmp_path / "source"), "--dry_run"]) == 0
    assert "and 9 more files" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["0", "1000"])
def test_number_out_of_range(number: str, words: list[str], capsys: Captured) -> None:
    assert main(["mslub", *words, "-d", number]) == 2
    assert "use -d 1 to 999" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["lgg"], ["lgg", "-i", "nowhere"], ["label_maps"]])
def test_asks_for_the_folder(arguments: list[str], tmp_path: Path, capsys: Captured) -> None:
    assert main([*arguments, "--home", str(tmp_path)]) == 2
    assert "-i" in capsys.readouterr().err


def test_unknown_name_is_one_sentence(capsys: Captured) -> None:
    assert main(["brats1999", "-i", "."]) == 2
    said = capsys.readouterr().err
    assert "no converter 'brats1999'" in said and "brats2013" in said


def test_help_lists_every_set() -> None:
    text = build_parser().format_help()
    assert all(f"\n  {name} " in text and c.title in text for name, c in CONVERTERS.items())


@pytest.mark.parametrize("name", list(CONVERTERS))
def test_help_of_a_set_says_what_it_expects(name: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    converter, text = CONVERTERS[name], " ".join(capsys.readouterr().out.split())
    assert converter.licence in text and converter.site in text
    assert converter.expects[0].split()[0] in text
    assert all(f"--{option.name}" in text for option in converter.options)


def test_names_and_numbers_are_unlike() -> None:
    numbers = [c.number for c in CONVERTERS.values() if c.number != 5]
    assert len(set(numbers)) == len(numbers)
    datasets = [c.dataset for c in CONVERTERS.values() if c.dataset]
    assert len(set(datasets)) == len(datasets)


def test_label_maps_are_added_and_simulated_needs_no_source(
    tmp_path: Path, capsys: Captured
) -> None:
    healthy.ixi_nichart(tmp_path / "source")
    home = ["--home", str(tmp_path / "home")]
    assert main(["ixi", "-i", str(tmp_path / "source"), *home]) == 0
    written.labels(tmp_path / "maps" / "seg_1.nii.gz", 41)
    (tmp_path / "maps" / "readme.txt").write_text("label maps")
    flags = ["label_maps", "-i", str(tmp_path / "maps"), *home]
    for _ in range(2):
        assert main(flags) == 0
    assert main([*flags, "-d", "77"]) == 2
    assert "no dataset '77'" in capsys.readouterr().err
    assert CONVERTERS["simulated"].needs_source is False
