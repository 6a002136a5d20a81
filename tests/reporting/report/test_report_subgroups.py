"""Subgroups in the report: what disanat_evaluate left in the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from judged_cases import judged_case
from prediction_folders import write_predictions
from sentences import check_sentence

from disanat.cli.report import main
from disanat.evaluation.participants import read_participants
from disanat.evaluation.subgroups import find_subgroups
from disanat.reporting.report.subgroups import subgroups_of
from disanat.reporting.subgroup_page import write_subgroup_pages

NASTY = "<img src=x onerror=alert(1)>"


def written(folder: Path) -> None:
    table = folder / "participants.tsv"
    rows = [f"{n}\t{'F' if n % 2 else NASTY}" for n in range(8)]
    table.write_text("\n".join(["participant_id\tsex", *rows]) + "\n", encoding="utf-8")
    cases = [judged_case(str(n), 0.1 + 0.1 * n, lesions=[(0.5, True, 1.5)]) for n in range(8)]
    write_subgroup_pages(find_subgroups(cases, read_participants(table)), folder)


def test_tables_and_picture_are_in_the_page_and_names_stay_text(tmp_path: Path) -> None:
    made = write_predictions(tmp_path, ["a"])
    written(made.predictions)
    assert main(["-i", str(made.predictions), "-np", "0"]) == 0
    page = (made.predictions / "report.html").read_text(encoding="utf-8")
    part = page.split('<section id="subgroups"')[1].split("</section>")[0]
    assert '<a href="#subgroups">' in page and "<h3>sex</h3>" in part
    assert NASTY not in page and "&lt;img src=x" in part
    cells = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', part)
    assert ("F", "4") in cells and ("0.1-1 mL", "8/8") in cells
    assert 'src="data:image/png;base64,iVBOR' in part and "from shuffling the" in part


def test_without_subgroups_there_is_no_such_part(tmp_path: Path) -> None:
    made = write_predictions(tmp_path, ["a"])
    assert main(["-i", str(made.predictions), "-np", "0"]) == 0
    page = (made.predictions / "report.html").read_text(encoding="utf-8")
    assert "subgroups-title" not in page and subgroups_of(made.predictions) is None


def test_damaged_subgroups_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = write_predictions(tmp_path, ["a"])
    written(made.predictions)
    (made.predictions / "subgroups.png").unlink()
    shown = subgroups_of(made.predictions)
    assert shown is not None and shown.picture == ""
    (made.predictions / "subgroups.json").write_text("{}")
    assert main(["-i", str(made.predictions), "-np", "0"]) == 2
    check_sentence(capsys.readouterr().err.strip(), "subgroups.json")
