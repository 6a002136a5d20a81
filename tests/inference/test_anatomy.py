"""Tissues named by a trained encoder."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import ModelError
from disanat.inference.anatomy import EncoderTissues

Ship = Callable[[], Path]


def agreement(named: np.ndarray, truth: np.ndarray) -> float:
    return float((named == truth)[truth > 0].mean())


def test_tissues_of_an_unseen_brain(ship: Ship, miniature: Any) -> None:
    brain = miniature.brain(50)
    inside = brain.labels > 0
    named = EncoderTissues(ship())([brain.image], inside, brain.spacing)
    assert named.dtype == np.uint8 and named.shape == brain.labels.shape
    assert not named[~inside].any()
    assert agreement(named, brain.labels) > 0.75


def test_the_scans_own_voxel_size_and_units_do_not_matter(ship: Ship, miniature: Any) -> None:
    estimator = EncoderTissues(ship())
    fine = miniature.brain(51, shape=(80, 64, 60), spacing=(2.0, 3.0, 2.7))
    inside = fine.labels > 0
    named = estimator([fine.image], inside, fine.spacing)
    assert named.shape == fine.labels.shape and agreement(named, fine.labels) > 0.7
    again = estimator([fine.image * 7 + 300], inside, fine.spacing)
    assert (again == named).mean() > 0.999


def test_channels_share_one_anatomy(ship: Ship, miniature: Any) -> None:
    estimator = EncoderTissues(ship())
    brain, flair = miniature.brain(52), miniature.brain(52, "flair")
    inside = brain.labels > 0
    alone = estimator([brain.image], inside, brain.spacing)
    both = estimator([brain.image, flair.image], inside, brain.spacing)
    swapped = estimator([flair.image, brain.image], inside, brain.spacing)
    np.testing.assert_array_equal(both, swapped)
    assert (both != alone).any()


def test_it_can_be_sent_to_a_worker(ship: Ship, miniature: Any) -> None:
    estimator = EncoderTissues(ship())
    brain = miniature.brain(53)
    given = ([brain.image], brain.labels > 0, brain.spacing)
    first = estimator(*given)  # the model is loaded now
    sent = pickle.dumps(estimator)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent)(*given), first)


def test_a_method_without_tissues_is_refused(trained_home: Path, miniature: Any) -> None:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    brain = miniature.brain(54)
    with pytest.raises(ModelError, match="threshold of .* names no tissues: .*--prior atlas"):
        EncoderTissues(folder)([brain.image], brain.labels > 0, brain.spacing)
