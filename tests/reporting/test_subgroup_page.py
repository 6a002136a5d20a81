"""Subgroups as a page, a table and a picture."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from judged_cases import biased_cases, judged_case
from matplotlib.image import imread

from disanat.evaluation.participants import read_participants
from disanat.evaluation.subgroups import Subgroups, find_subgroups, read_subgroups
from disanat.reporting.subgroup_figure import subgroup_figure
from disanat.reporting.subgroup_page import subgroup_text, write_subgroup_pages


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Subgroups:
    cases, table = biased_cases(tmp_path_factory.mktemp("biased"))
    return find_subgroups(cases, read_participants(table))


@pytest.fixture(scope="module")
def pages(biased: Subgroups, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_subgroup_pages(biased, folder)
    return folder


def rows_of(page: str, heading: str) -> dict[str, dict[str, str]]:
    lines = page.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    rows = [[c.strip() for c in x.strip("|").split(" | ")] for x in lines if x.startswith("|")]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def test_the_page_has_a_table_for_each_column_and_the_verdicts_first(pages: Path) -> None:
    page = (pages / "subgroups.md").read_text(encoding="utf-8")
    assert "60 cases of 60 participants, groups from participants.tsv." in page
    above = page.split("\n## ")[0]
    verdicts = {line.split("|")[1].strip(): line for line in above.splitlines() if "(p " in line}
    assert verdicts["scanner"].count("**differs**") == 3
    assert verdicts["sex"].count("no difference found") == 3
    scanner = rows_of(page, "scanner")
    assert list(scanner) == ["A", "B", "C", "all", "p (corrected)"]
    assert scanner["B"]["lesions found"] == "10/30" and scanner["B"]["participants"] == "20"
    assert scanner["B"]["AP"].endswith("(10)") and scanner["all"]["AP"].endswith("(30)")
    both = rows_of(page, "Lesions found, by size and contrast")
    assert both["0.1-1 mL"] == {
        "size": "0.1-1 mL", "<1 SD": "-", "1-2 SD": "20/30", "2-3 SD": "-", ">=3 SD": "-",
    }  # fmt: skip
    assert "## How to read it" in page and "(subgroups.png)" in page


def test_the_table_has_a_row_for_each_group_size_and_contrast(pages: Path) -> None:
    with (pages / "subgroups.csv").open(encoding="utf-8") as handle:
        rows = {(row["column"], row["group"]): row for row in csv.DictReader(handle)}
    worse, well = rows["scanner", "B"], rows["scanner", "A"]
    assert float(worse["average_precision"]) < float(well["average_precision"]) - 0.2
    assert float(worse["average_precision_p_corrected"]) < 0.05
    assert float(rows["sex", "F"]["average_precision_p_corrected"]) > 0.05
    assert rows["lesion size", "<0.1 mL"]["recall"] == "0.0"
    assert rows["lesion contrast", ">=3 SD"]["recall"] == "1.0"
    assert len(rows) == 3 + 2 + 3 + 4 + 4


def test_the_folder_holds_all_four_files(pages: Path, biased: Subgroups) -> None:
    assert sorted(path.name for path in pages.iterdir()) == [
        "subgroups.csv", "subgroups.json", "subgroups.md", "subgroups.png",
    ]  # fmt: skip
    assert read_subgroups(pages) == biased


def test_the_picture_grows_with_the_groups_and_marks_what_differs(
    biased: Subgroups, pages: Path, tmp_path: Path
) -> None:
    def red(image: np.ndarray) -> int:
        return int(np.count_nonzero((image[..., 0] > 0.6) & (image[..., 1:3] < 0.35).all(-1)))

    whole = np.asarray(imread(pages / "subgroups.png"))
    cases = [judged_case("a", 0.5, lesions=[(0.5, True, 1.5)])]
    assert subgroup_figure(find_subgroups(cases, None), tmp_path / "lesions.png")
    lesions = np.asarray(imread(tmp_path / "lesions.png"))
    assert whole.shape[0] > 1.8 * lesions.shape[0] and whole.shape[1] == lesions.shape[1]
    assert red(whole) > 500 and red(lesions) == 0
    nothing = find_subgroups([judged_case("a", None)], None)
    assert not subgroup_figure(nothing, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_groups_with_odd_names_stay_in_their_cell(tmp_path: Path) -> None:
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\ta|b\n1\tx|y\n2\t<b>\n3\tn/a\n", encoding="utf-8")
    cases = [judged_case(str(n), 0.5) for n in (1, 2, 3, 4)]
    text = subgroup_text(find_subgroups(cases, read_participants(table)))
    assert "1 case had no row: in no group." in text
    assert "## a\\|b" in text and "| x\\|y " in text
    assert "healthy FP" not in text, "nobody is healthy"
    assert "The contrast" not in text, "there are no lesions"


def test_a_page_without_a_table_counts_lesions(tmp_path: Path) -> None:
    cases = [judged_case("a", 0.5, lesions=[(0.5, True, None)])]
    write_subgroup_pages(find_subgroups(cases, None), tmp_path)
    page = (tmp_path / "subgroups.md").read_text(encoding="utf-8")
    assert "participants, groups from" not in page and "## Lesions found, by size\n" in page
    assert "The contrast of the lesions is not known" in page
