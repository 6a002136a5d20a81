"""The compressed store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from disanat.errors import DatasetError
from disanat.home import write_json
from disanat.io.store import (
    StoredCase,
    is_stored,
    open_case,
    remove_case,
    save_case,
    stored_cases,
    stored_label_maps,
)


@pytest.fixture
def case() -> StoredCase:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 19, 12, 13)).astype(np.float32)
    labels = rng.integers(0, 104, (19, 12, 13)).astype(np.uint8)
    return StoredCase("c.1", image, labels, (0, 2))


def test_round_trip_by_slices(case: StoredCase, tmp_path: Path) -> None:
    save_case(tmp_path, case)
    opened = open_case(tmp_path, "c.1")
    assert opened.channels == (0, 2) and opened.image.shape == (2, 19, 12, 13)
    np.testing.assert_array_equal(opened.image[1, 7:11, 2:5], case.image[1, 7:11, 2:5])
    np.testing.assert_array_equal(opened.labels[:], case.labels)
    assert stored_cases(tmp_path) == ["c.1"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_saving_again_replaces(case: StoredCase, tmp_path: Path) -> None:
    save_case(tmp_path, case)
    save_case(tmp_path, StoredCase("c.1", case.image[:1, :5], case.labels[:5], (0,)))
    assert open_case(tmp_path, "c.1").image.shape == (1, 5, 12, 13)


def test_only_complete_cases_count(case: StoredCase, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no preprocessed case: preprocess"):
        stored_cases(tmp_path / "absent")
    save_case(tmp_path, case)
    (tmp_path / "c.1.json").unlink()
    with pytest.raises(DatasetError, match="holds no preprocessed case"):
        stored_cases(tmp_path)
    with pytest.raises(DatasetError, match=r"c.1.json does not exist: preprocess"):
        open_case(tmp_path, "c.1")


def test_label_maps_without_a_scan_are_no_cases(case: StoredCase, tmp_path: Path) -> None:
    assert stored_label_maps(tmp_path) == []
    save_case(tmp_path, case)
    save_case(tmp_path, StoredCase("map", case.image[:1], case.labels, ()))
    assert stored_cases(tmp_path) == ["c.1"] and stored_label_maps(tmp_path) == ["map"]


def test_a_damaged_array_is_named(case: StoredCase, tmp_path: Path) -> None:
    save_case(tmp_path, case)
    path = tmp_path / "c.1.b2nd"
    whole = path.read_bytes()
    for damaged in (whole[:-40], whole[:300] + bytes([whole[300] ^ 1]) + whole[301:], b"rubbish"):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"c.1.b2nd is missing or damaged: preprocess the"):
            open_case(tmp_path, "c.1")


def test_an_array_without_a_checksum_that_is_none(case: StoredCase, tmp_path: Path) -> None:
    save_case(tmp_path, case)
    write_json({"case": "c.1", "channels": [0, 2]}, tmp_path / "c.1.json")
    (tmp_path / "c.1.b2nd").write_bytes(b"rubbish")
    with pytest.raises(DatasetError, match=r"c.1.b2nd cannot be opened .* preprocess the dataset"):
        open_case(tmp_path, "c.1")


@pytest.mark.parametrize("facts", [[], {}, {"channels": "T1"}, {"channels": 3}])
def test_a_damaged_description_is_named(case: StoredCase, tmp_path: Path, facts: object) -> None:
    save_case(tmp_path, case)
    write_json(facts, tmp_path / "c.1.json")
    with pytest.raises(DatasetError, match=r"c.1.json .*: preprocess the dataset again"):
        stored_cases(tmp_path)


def test_a_case_is_done_if_made_from_the_same_and_whole(case: StoredCase, tmp_path: Path) -> None:
    assert not is_stored(tmp_path, "c.1", "abc")
    save_case(tmp_path, case, "abc")
    assert is_stored(tmp_path, "c.1", "abc")
    assert not is_stored(tmp_path, "c.1", "other") and not is_stored(tmp_path, "c.1", "")
    (tmp_path / "c.1_labels.b2nd").write_bytes(b"rubbish")
    assert not is_stored(tmp_path, "c.1", "abc")
    (tmp_path / "c.1.json").write_text("{")
    assert not is_stored(tmp_path, "c.1", "abc")


def test_saving_anew_first_takes_the_old_description_away(
    case: StoredCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_case(tmp_path, case, "abc")

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("blosc2.asarray", killed)
    with pytest.raises(KeyboardInterrupt):
        save_case(tmp_path, case, "abc")
    assert not is_stored(tmp_path, "c.1", "abc")


def test_removed_with_all_its_files(case: StoredCase, tmp_path: Path) -> None:
    save_case(tmp_path, case)
    remove_case(tmp_path, "c.1")
    assert not list(tmp_path.iterdir())
