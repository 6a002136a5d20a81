"""documentation/converters.md says what the registry says, and its examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from converter_files import labels, scan

from dataset_conversion import table
from dataset_conversion.cli import main
from dataset_conversion.registry import CONVERTERS

PAGE = Path(__file__).resolve().parents[2] / "documentation" / "converters.md"


def test_table_is_that_of_the_registry() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = text.partition(table.BEGIN)[2].partition(table.END)[0].strip()
    assert written == table.table(), f"run python -m dataset_conversion.table {PAGE}"
    assert all(f"| `{name}` |" in written for name in CONVERTERS)


def test_main_writes_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    expected = f"before\n{table.BEGIN}\n\n{table.table()}\n\n{table.END}\nafter\n"
    for _ in range(2):
        table.main(page)
        assert page.read_text(encoding="utf-8") == expected


def commands(name: str) -> list[list[str]]:
    """The page's command lines that use this converter."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```\n(.*?)```", text, re.S)).replace("\\\n", "")
    return [
        shlex.split(line)[1:]
        for line in blocks.splitlines()
        if line.startswith(f"disanat_convert {name}")
    ]


def test_example_of_bids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for case in ("sub-01", "sub-02"):
        for word in ("T1w", "FLAIR"):
            scan(Path("ds001") / case / "anat" / f"{case}_{word}.nii.gz")
    labels(Path("ds001") / "derivatives" / "sub-02" / "sub-02_label-lesion_mask.nii.gz")
    rows = "participant_id\tgroup\nsub-01\tcontrol\nsub-02\tpatient\n"
    (Path("ds001") / "participants.tsv").write_text(rows)
    assert len(commands("bids")) == 2
    for words in commands("bids"):
        assert main(words) == 0
    raw = Path("disanat_home") / "raw"
    healthy = [p.name for p in (raw / "Dataset021_MyHealthy" / "imagesTr").iterdir()]
    patients = [p.name for p in (raw / "Dataset022_MyPatients" / "imagesTs").iterdir()]
    assert healthy == ["sub-01_0000.nii.gz"] and patients == ["sub-02_0000.nii.gz"]


def test_example_of_patterns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for word in ("T1w", "FLAIR"):
        scan(Path("MyScans") / "P1" / "anat" / f"P1_{word}.nii.gz")
    labels(Path("MyScans") / "masks" / "P1_lesion.nii.gz")
    [words] = commands("pattern")
    assert main(words) == 0 and not Path("disanat_home").exists()
    said = capsys.readouterr().out
    assert "P1_FLAIR.nii.gz" in said and "channel 1: FLAIR, 1 case" in said
    assert main([word for word in words if word != "--dry_run"]) == 0
    assert (Path("disanat_home/raw/Dataset030_MySet/labelsTs/P1.nii.gz")).is_file()
