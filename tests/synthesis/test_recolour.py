"""Scans in another contrast."""

from __future__ import annotations

import numpy as np
import pytest

from disanat.synthesis.recolour import recoloured
from disanat.synthesis.tables import EXTRACEREBRAL
from disanat.tissues import THREE_CLASSES

T1 = np.array([-2.5, -1.6, -0.3, 0.8])
FLAIR = np.zeros(EXTRACEREBRAL + 4, np.float32)
FLAIR[:4] = 0.0, 0.1, 0.9, 0.7
FLAIR[EXTRACEREBRAL] = 0.5


def sample(noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 4000)
    return (T1[labels] + rng.normal(0, noise, labels.size)).astype(np.float32), labels


def test_each_tissue_takes_its_entry_and_keeps_its_detail() -> None:
    values, labels = sample()
    new = recoloured(values, labels, values, labels, FLAIR, THREE_CLASSES)
    for k in (1, 2, 3):
        own = labels == k
        assert np.median(new[own]) == pytest.approx(FLAIR[k], abs=0.03)
        assert new[own].std() > 0.01
    grey = labels == 2  # darker than grey is fluid, dark in FLAIR as well
    low = grey & (values < -0.4)
    assert np.corrcoef(values[low], new[low])[0, 1] > 0.99


def test_half_fluid_stays_half_fluid_whatever_lies_between() -> None:
    """A voxel of white matter half full of fluid looks grey in T1, but is not bright in FLAIR."""
    values, labels = sample()
    half = np.array([(T1[1] + T1[3]) / 2], np.float32)
    new = recoloured(half, np.array([3]), values, labels, FLAIR, THREE_CLASSES)
    assert new[0] == pytest.approx((FLAIR[1] + FLAIR[3]) / 2, abs=0.02)


def test_outside_and_rare_labels_are_flat() -> None:
    values, labels = sample()
    where = np.array([EXTRACEREBRAL, 0, 1])
    few = labels != 1
    new = recoloured(
        np.array([3.0, -2.0, -1.0], np.float32), where, values[few], labels[few], FLAIR,
        THREE_CLASSES,
    )  # fmt: skip
    np.testing.assert_allclose(new, [0.5, 0.0, 0.1], atol=1e-6)


def test_tissues_the_scan_does_not_tell_apart_do_no_harm() -> None:
    values, labels = sample(noise=0.0)
    flat = np.where(labels == 1, -1.0, 0.5).astype(np.float32)
    new = recoloured(flat, labels, flat, labels, FLAIR, THREE_CLASSES)
    assert np.isfinite(new).all()
    for k in (1, 2, 3):
        np.testing.assert_allclose(new[labels == k], FLAIR[k], atol=1e-6)
