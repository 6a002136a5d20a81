"""Tissue classes and numberings."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.errors import DatasetError
from disanat.tissues import (
    EIGHT_CLASSES,
    NUMBERINGS,
    THREE_CLASSES,
    TWELVE_CLASSES,
    class_kinds,
    remap_labels,
    scheme_by_names,
    whole_labels,
    whole_numbers,
    with_partial_volume,
)


def test_freesurfers_lesions_become_white_matter() -> None:
    numbers = np.array([0, 2, 25, 57, 3, 24, 4, 16, 8, 7, 10, 30, 501])
    remapped = remap_labels(numbers, NUMBERINGS["freesurfer"], EIGHT_CLASSES)
    assert remapped.tolist() == [0, 4, 4, 4, 3, 1, 2, 8, 6, 7, 5, 0, 0]
    assert remapped.dtype == np.uint8


def test_dlmuse_by_its_ranges() -> None:
    numbers = np.array([1, 46, 4, 52, 100, 207, 208, 81, 95, 96, 35, 38, 40, 23, 76])
    remapped = remap_labels(numbers, NUMBERINGS["dlmuse"], EIGHT_CLASSES)
    assert remapped.tolist() == [1, 1, 2, 2, 3, 3, 0, 4, 4, 0, 8, 6, 7, 5, 5]


@pytest.mark.parametrize("name", ["dlmuse", "freesurfer"])
def test_no_number_belongs_to_two_classes(name: str) -> None:
    numbers = [n for group in NUMBERINGS[name].values() for n in group]
    assert len(numbers) == len(set(numbers))
    assert set(NUMBERINGS[name]) == {c.name for c in EIGHT_CLASSES}


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.int64])
def test_numbers_that_no_class_claims_are_background(kind: type) -> None:
    """The lowest and highest of the type among them, and the neighbours of those that are named."""
    ends = np.iinfo(kind)
    numbers = np.array([ends.min, 9, 10, 11, 100, 101, ends.max], kind)
    mapping = {"csf": (10,), "white": (100,)}
    assert remap_labels(numbers, mapping, THREE_CLASSES).tolist() == [0, 0, 1, 0, 3, 0, 0]
    assert not remap_labels(numbers, {}, THREE_CLASSES).any()


def test_schemes_kinds_and_unknown_names() -> None:
    assert class_kinds(EIGHT_CLASSES, "csf") == (1, 2)
    assert class_kinds(EIGHT_CLASSES, "white") == (4, 7, 8)
    assert scheme_by_names(["csf", "grey", "white"]) is THREE_CLASSES
    with pytest.raises(DatasetError, match="Unknown tissue classes white, grey"):
        scheme_by_names(["white", "grey"])
    with pytest.raises(DatasetError, match="fat in dataset.json are unknown: use csf"):
        remap_labels(np.zeros(2, int), {"fat": (1,)}, THREE_CLASSES)


def test_partial_volume_classes_are_of_no_pure_kind() -> None:
    for kind in ("csf", "grey", "white"):
        assert class_kinds(TWELVE_CLASSES, kind) == class_kinds(EIGHT_CLASSES, kind)
    assert scheme_by_names([c.name for c in TWELVE_CLASSES]) is TWELVE_CLASSES
    assert with_partial_volume(EIGHT_CLASSES) is TWELVE_CLASSES
    assert with_partial_volume(TWELVE_CLASSES) == TWELVE_CLASSES
    assert with_partial_volume(THREE_CLASSES) == THREE_CLASSES


def test_partial_volume_counts_for_what_it_is_part_of() -> None:
    assert whole_numbers(TWELVE_CLASSES).tolist() == [*range(9), 3, 6, 3, 4]
    assert whole_numbers(THREE_CLASSES).tolist() == [0, 1, 2, 3]
    likely = np.zeros((13, 2), np.float32)
    likely[[3, 9, 4], 0] = 0.3, 0.3, 0.4  # cortex and sulci together are likelier than white
    likely[[4, 12, 3], 1] = 0.2, 0.35, 0.45
    assert whole_labels(likely, TWELVE_CLASSES).tolist() == [3, 4]
