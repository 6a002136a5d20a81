"""The report in headless Chromium: sorted, filtered, opened, looked through."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import chromium, console, requests
from PIL import Image
from prediction_folders import LESION_COLUMNS, write_predictions, write_table

from disanat.cli.report import main

KINDS = ("scan", "phi", "anomaly", "mask")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three predicted cases, with case scores 1, 2 and 3, and one that failed."""
    made = write_predictions(
        tmp_path_factory.mktemp("report"),
        ["b2", "a10", "a9"],
        [("z", "it is no brain")],
        two_channels=["a9"],
    )
    lesion = ("a9", 1, 2.5, -20, -40, 10, "white", 4.0, 3.0)
    write_table(made.predictions / "lesions.csv", LESION_COLUMNS, [lesion])
    words = ["-i", str(made.predictions), "-s", str(made.scans), "-np", "0"]
    assert main([*words, "--channels", "all"]) == 0
    return made.predictions / "report.html"


@pytest.fixture(scope="module")
def browser(page: Path) -> Iterator[Any]:
    with chromium() as driver:
        driver.get(page.as_uri())
        yield driver


def all_of(browser: Any, selector: str) -> list[Any]:
    return list(browser.find_elements("css selector", selector))


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def cases(browser: Any) -> list[str]:
    """Names in the table from top to bottom, of the rows that can be seen."""
    return [name.text for name in all_of(browser, "#table tbody th a") if name.is_displayed()]


def picture(browser: Any, kind: str) -> np.ndarray:
    """What the canvas of an image shows, uint8, height x width x 3."""
    script = "return document.getElementById(arguments[0]).toDataURL('image/png')"
    address = browser.execute_script(script, f"pane-{kind}")
    stored = io.BytesIO(base64.b64decode(address.split(",")[1]))
    return np.asarray(Image.open(stored).convert("RGB"))


def wait_for(browser: Any, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(f"return {script}"))


def test_headings_sort(browser: Any) -> None:
    by_score = one(browser, "#table th[data-key=score] button")
    by_score.click()
    assert cases(browser) == ["a9", "a10", "b2", "z"]  # the highest first; without one, last
    by_score.click()
    assert cases(browser) == ["b2", "a10", "a9", "z"]
    assert one(browser, "#table th[data-key=score]").get_attribute("aria-sort") == "ascending"
    one(browser, "#table th[data-key=case] button").click()
    assert cases(browser) == ["a9", "a10", "b2", "z"]
    assert [title.text for title in all_of(browser, "article h3")] == ["a9", "a10", "b2", "z"]


def test_filters(browser: Any) -> None:
    from selenium.webdriver.support.ui import Select

    text = one(browser, "#filter")
    text.send_keys("a")
    assert set(cases(browser)) >= {"a10", "a9"}
    text.clear()
    text.send_keys("a1")
    assert cases(browser) == ["a10"] and one(browser, "#count").text == "1 of 4 shown"
    seen = [a.is_displayed() for a in all_of(browser, "article")]
    assert seen.count(True) == 1
    for _ in "a1":
        text.send_keys("\ue003")
    state = Select(one(browser, "#state"))
    for value, names in (("failed", ["z"]), ("flagged", ["a9"])):
        state.select_by_value(value)
        assert cases(browser) == names
    state.select_by_value("")
    assert len(cases(browser)) == 4


def test_pictures_are_there(browser: Any) -> None:
    script = """
      const pictures = [...document.images];
      for (const each of pictures) each.loading = "eager";
      return Promise.all(pictures.map((each) => each.decode())).then(
        () => pictures.map((each) => each.naturalWidth));
    """
    widths = browser.execute_script(script)
    assert len(widths) == 3 * 4 and min(widths) >= 190


def test_viewer_moves(browser: Any) -> None:
    next(a for a in all_of(browser, "#table tbody th a") if a.text == "a9").click()
    wait_for(browser, "document.getElementById('viewer').dataset.number === '3'")
    assert one(browser, "#viewer-title").text == "a9"
    before = {kind: picture(browser, kind) for kind in KINDS}
    for kind, shown in before.items():
        assert shown.shape[1] > 200 and shown.std() > 10, f"{kind} is blank"
    place = one(browser, "#place").text
    one(browser, "#panes").send_keys("\ue00e" * 4)  # page up: four slices to the top
    assert one(browser, "#place").text != place
    for kind in KINDS:
        after = picture(browser, kind)
        assert after.std() > 10 and (after != before[kind]).any(axis=2).mean() > 0.01
    one(browser, "#home").click()
    assert one(browser, "#place").text == place
    assert all((picture(browser, kind) == before[kind]).all() for kind in KINDS)
    one(browser, "#lesions button").click()
    there = [float(mm) for mm in re.findall(r"[xyz] (-?\d+)", one(browser, "#place").text)]
    assert np.abs(np.array(there) - (-20, -40, 10)).max() <= 4  # within a voxel
    one(browser, "#close").click()
    assert not one(browser, "#viewer").is_displayed()


def test_channels_are_chosen(browser: Any) -> None:
    from selenium.webdriver.support.ui import Select

    def show(name: str, number: int) -> None:
        next(a for a in all_of(browser, "#table tbody th a") if a.text == name).click()
        wait_for(browser, f"document.getElementById('viewer').dataset.number === '{number}'")

    show("a10", 2)
    assert not one(browser, "#channel").is_displayed()  # it has but one
    one(browser, "#close").click()
    show("a9", 3)
    chosen, place = Select(one(browser, "#channel")), one(browser, "#place").text
    assert [option.text for option in chosen.options] == ["0", "1"]
    first = {kind: picture(browser, kind) for kind in KINDS}
    chosen.select_by_visible_text("1")
    second = {kind: picture(browser, kind) for kind in KINDS}
    for kind in KINDS:
        assert second[kind].std() > 10 and (second[kind] != first[kind]).any(axis=2).mean() > 0.01
    assert one(browser, "#place").text == place  # the map is of all channels
    chosen.select_by_visible_text("0")
    assert all((picture(browser, kind) == first[kind]).all() for kind in KINDS)
    one(browser, "#close").click()


def test_nothing_was_fetched_and_nothing_went_wrong(browser: Any, page: Path) -> None:
    browser.refresh()
    one(browser, "button.open").click()
    wait_for(browser, "Boolean(document.getElementById('viewer').dataset.number)")
    asked = [url for url in requests(browser) if not url.startswith("data:")]
    assert asked and set(asked) == {page.as_uri()}
    assert console(browser) == []
