"""The model that ships with the package: found, described, refused when damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from disanat.errors import ModelError
from disanat.inference import bundled
from disanat.inference.bundled import bundled_folder, bundled_model, is_bundled
from disanat.inference.export import MOST_MB
from disanat.inference.model import load_model
from disanat.tissues import TWELVE_CLASSES

Ship = Callable[[], Path]


def test_nothing_ships_unless_it_is_there() -> None:
    assert bundled_model() is None


def test_it_says_what_it_is(ship: Ship) -> None:
    folder = ship()
    facts = json.loads((folder / "model.json").read_text())["facts"]
    found = bundled_model()
    assert found is not None and found.folder == folder
    assert (found.method, found.dataset, found.channels) == ("dal", "Dataset005_Mini", ("T1",))
    assert found.classes == ("csf", "grey", "white")
    assert found.cases == len(facts["train_cases"]) > 0
    words = f"trained on {found.cases} healthy scans of Dataset005_Mini (T1, 4 x 4 x 4 mm)"
    assert words in found.sentence and found.sentence.endswith(f"finished {found.finished}.")
    assert len(found.finished) == len("2026-01-31")


def test_a_number_of_cases_is_as_good_as_their_names(ship: Ship) -> None:
    path = ship() / "model.json"
    data = json.loads(path.read_text())
    data["facts"]["train_cases"] = 51
    path.write_text(json.dumps(data))
    found = bundled_model()
    assert found is not None and found.cases == 51


@pytest.mark.parametrize("part", ["plans", "facts", "finished", "method"])
def test_a_damaged_description_is_named(ship: Ship, part: str) -> None:
    path = ship() / "model.json"
    data = json.loads(path.read_text())
    del data[part]
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"model.json is damaged .*install disanat again"):
        bundled_model()


def test_its_folder_is_known_by_any_name(
    ship: Ship, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ship()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    assert is_bundled(tmp_path / "link") and is_bundled(Path("dal"))
    assert not is_bundled(folder.parent)


def test_what_really_ships_is_whole_small_and_names_nobody() -> None:
    folder = bundled_folder()  # imported above, so not the one that conftest puts in its place
    assert folder == Path(bundled.__file__).parents[1] / "pretrained" / "dal"
    if not (folder / "model.json").exists():
        pytest.skip(f"no model in {folder}: make it with benchmarks/pretrained.py")
    model = load_model(folder)
    assert model.plans.classes == tuple(c.name for c in TWELVE_CLASSES)
    assert sum(p.stat().st_size for p in folder.iterdir()) <= MOST_MB * 1e6
    facts = json.loads((folder / "model.json").read_text())["facts"]
    assert all(isinstance(v, int) for k, v in facts.items() if k.endswith("_cases"))
    assert "CC BY-SA 3.0" in (folder / "card.md").read_text()
