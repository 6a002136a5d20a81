from __future__ import annotations

import numpy as np

from disanat.evaluation.lesions import add_recalls, lesion_recall


def cube(*corners: tuple[int, int, int], side: int) -> np.ndarray:
    volume = np.zeros((30, 30, 30), bool)
    for s, p, l in corners:
        volume[s : s + side, p : p + side, l : l + side] = True
    return volume


def counts(recall: tuple) -> dict[str, tuple[int, int]]:
    return {entry.size: (entry.lesions, entry.found) for entry in recall}


BRAIN = np.ones((30, 30, 30), bool)


def test_a_lesion_is_found_from_a_tenth_of_its_voxels_on() -> None:
    lesion = cube((2, 2, 2), side=10)
    for voxels, found in ((99, 0), (100, 1)):
        mask = np.zeros_like(lesion)
        inside = np.argwhere(lesion)[:voxels]
        mask[tuple(inside.T)] = True
        result = counts(lesion_recall(mask, lesion, BRAIN, voxel_ml=0.001))
        assert result["1-5 mL"] == (1, found)


def test_lesions_fall_into_bins_by_volume() -> None:
    lesion = cube((1, 1, 1), side=2) | cube((10, 10, 10), side=4) | cube((18, 18, 18), side=9)
    result = counts(lesion_recall(lesion, lesion, BRAIN, voxel_ml=0.008))
    # 8, 64 and 729 voxels of 8 microlitres: 0.064, 0.512 and 5.8 mL.
    assert result == {"<0.1 mL": (1, 1), "0.1-1 mL": (1, 1), "1-5 mL": (0, 0), ">=5 mL": (1, 1)}


def test_corners_that_touch_are_one_lesion() -> None:
    lesion = cube((1, 1, 1), (3, 3, 3), side=2)
    assert counts(lesion_recall(lesion, lesion, BRAIN, 0.001))["<0.1 mL"] == (1, 1)


def test_what_is_outside_the_brain_is_not_found() -> None:
    lesion = cube((1, 1, 1), side=3)
    assert counts(lesion_recall(lesion, lesion, ~BRAIN, 0.001))["<0.1 mL"] == (1, 0)


def test_recalls_add_up_bin_by_bin() -> None:
    lesion = cube((1, 1, 1), side=3)
    one = lesion_recall(lesion, lesion, BRAIN, 0.001)
    none = lesion_recall(~BRAIN, lesion, BRAIN, 0.001)
    total = add_recalls([one, none])
    assert counts(total)["<0.1 mL"] == (2, 1)
    assert total[0].recall == 0.5
    assert total[1].recall is None
