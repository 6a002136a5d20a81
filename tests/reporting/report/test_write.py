"""A whole report: texts of others stay text, and nothing is fetched."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from prediction_folders import LESION_COLUMNS, write_predictions, write_table

from disanat.cli.report import main
from disanat.reporting.report import brainsprite

NASTY = "<img src=x onerror=alert(1)>&'"
END = "</script><script>alert(2)</script>"


@pytest.fixture
def page(tmp_path: Path) -> str:
    """Of a case whose name tries to become part of the page, and so do other texts."""
    made = write_predictions(tmp_path, [NASTY], [("b", f"it is {END}")])
    lesion = (NASTY, 1, 2.5, 0, 0, 0, END, 4.0, 3.0)
    write_table(made.predictions / "lesions.csv", LESION_COLUMNS, [lesion])
    facts = {"threshold": 2.0, "method": "<b>dal", "dataset": END}
    (made.predictions / "prediction.json").write_text(json.dumps(facts))
    assert main(["-i", str(made.predictions), "-np", "0"]) == 0
    return (made.predictions / "report.html").read_text(encoding="utf-8")


def test_texts_stay_text(page: str) -> None:
    assert "<img src=x" not in page and "<b>dal" not in page and "alert(2)</script>" not in page
    assert "&lt;img src=x" in page and "&lt;b&gt;dal" in page


def test_data_survive_the_end_of_a_script_in_them(page: str) -> None:
    shown = json.loads(re.search(r'id="data-1">(.*?)</script>', page).group(1))
    assert set(shown["sprites"]) == {"phi", "anomaly", "mask"}
    assert [lesion["region"] for lesion in shown["lesions"]] == [END]


def test_nothing_is_fetched(page: str) -> None:
    addresses = re.findall(r'\b(?:src|href)="([^"]*)"', page)
    assert addresses and all(a.startswith(("data:", "#")) for a in addresses)
    assert not re.findall(r"url\((?!#)", page) and "@import" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert "default-src 'none'; img-src data:;" in html.unescape(policy)


def test_without_a_viewer_the_pictures_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brainsprite, "find_spec", lambda name: None)
    made = write_predictions(tmp_path, ["a"])
    assert main(["-i", str(made.predictions), "-np", "0"]) == 0
    page = (made.predictions / "report.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 3 and "brainsprite(" not in page and "<dialog" not in page


def test_without_predictions_is_a_sentence(tmp_path: Path, capsys: Any) -> None:
    assert main(["-i", str(tmp_path)]) == 2
    assert "holds no predictions" in capsys.readouterr().err


def test_a_case_whose_images_are_gone_is_told(tmp_path: Path) -> None:
    made = write_predictions(tmp_path, ["a", "b"])
    (made.predictions / "a_anomaly.nii.gz").unlink()
    assert main(["-i", str(made.predictions), "-np", "0"]) == 0
    page = (made.predictions / "report.html").read_text(encoding="utf-8")
    assert page.count("Its pictures cannot be shown") == 1
    assert 'id="data-1"' not in page and 'id="data-2"' in page
    assert str(tmp_path) not in page
