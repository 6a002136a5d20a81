"""The compressed store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from disanat.errors import DatasetError
from disanat.io.store import StoredCase, open_case, save_case, stored_cases, stored_label_maps


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
    (tmp_path / "c.1.b2nd").write_bytes(b"rubbish")
    with pytest.raises(DatasetError, match=r"c.1.b2nd cannot be opened .* preprocess the dataset"):
        open_case(tmp_path, "c.1")
