"""Tissues named by a trained encoder."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.anatomy.anatomy_registration import register_linear
from disanat.anatomy.atlas import atlas_fit, atlas_tissues
from disanat.anatomy.template import load_atlas
from disanat.errors import ModelError
from disanat.inference.anatomy import EncoderAnatomies, EncoderTissues
from disanat.io.images import read_labels, read_scan
from disanat.preprocessing.brain_mask import brain_box
from disanat.synthesis.brains import simulate_brain
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, remap_labels

Ship = Callable[[], Path]
SHIPPED = Path(__file__).parents[2] / "disanat" / "pretrained" / "dal"


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


def test_scan_and_atlas_are_seen_where_they_lie(ship: Ship, miniature: Any) -> None:
    brain = miniature.brain(55, shape=(44, 40, 41), spacing=(3.0, 4.5, 4.0))
    inside = brain.labels > 0
    folder = ship()
    sight = EncoderAnatomies(folder)
    given = ([brain.image], inside, brain.spacing)
    seen = sight(*given)
    assert np.allclose(seen.scan.spacing, (4.0, 4.0, 4.0), rtol=0.03)  # the model's
    volume_ml = inside.sum() * np.prod(brain.spacing) / 1000
    assert seen.scan.volumes_ml.sum() == pytest.approx(volume_ml, rel=0.05)
    middle = (np.array(inside.shape) - 1) / 2
    centre = (np.argwhere(inside).mean(0) - middle) * brain.spacing  # S, P, L
    np.testing.assert_allclose(seen.scan.centre[::-1], centre, atol=0.5)
    named = EncoderTissues(folder)(*given)
    white = (np.argwhere(named == 3).mean(0) - middle) * brain.spacing
    np.testing.assert_allclose(seen.scan.centres[2][::-1], white, atol=1.5)
    atlas = load_atlas()
    assert seen.atlas.volumes_ml.sum() == pytest.approx(atlas.brain.sum() * 0.008, rel=0.1)
    again = pickle.loads(pickle.dumps(sight))(*given)
    assert again.atlas is seen.atlas  # seen once in each process
    several = sight([brain.image, 2 * brain.image + 9], *given[1:])
    np.testing.assert_allclose(several.scan.probabilities, seen.scan.probabilities, atol=1e-4)


def test_the_shipped_encoder_brings_the_atlas_onto_a_scan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a contrast that is T1's turned over; the brain is the atlas bent."""
    monkeypatch.setattr(f"{register_linear.__module__}._STARTS_TRIED", 2)
    monkeypatch.setattr(f"{register_linear.__module__}._LEVELS_MM", (9.0, 7.0, 5.0))
    brain = simulate_brain(np.random.default_rng(3), 4.0)
    image = np.einsum("k...,k->...", brain.maps, (100.0, 60.0, 35.0)).astype(np.float32)
    image, inside = np.pad(image, 3), np.pad(brain.mask, 3)
    seen = EncoderAnatomies(SHIPPED)([image], inside, brain.spacing)
    fit = atlas_fit(image, brain.spacing, inside, "anatomy", seen)
    assert fit.overlap > 0.93 and fit.agreement is not None and fit.agreement > 0.75
    assert fit.refused == ""


def test_by_anatomy_is_better_than_by_intensity_on_a_real_scan(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a person who did not train the encoder."""
    monkeypatch.setattr(f"{register_linear.__module__}._STARTS_TRIED", 2)
    folder = real_data / "ixi_t1_2mm"
    scan = read_scan(folder / "t1" / "IXI386_T1.nii.gz")
    regions = read_labels(folder / "dlmuse" / "IXI386_DLMUSE.nii.gz").array
    kinds = np.array([0] + [("csf", "grey", "white").index(c.kind) + 1 for c in EIGHT_CLASSES])
    truth = kinds[remap_labels(regions, NUMBERINGS["dlmuse"], EIGHT_CLASSES)]
    box = brain_box(truth > 0, scan.spacing, 12.0)
    array, truth = scan.array[box], truth[box]
    given = (array, scan.spacing, truth > 0)
    seen = EncoderAnatomies(SHIPPED)([array], truth > 0, scan.spacing)
    by_anatomy = atlas_tissues(*given, "anatomy", seen, dense=False)
    by_intensity = atlas_tissues(*given)
    for k in (1, 2, 3):
        good, usual = (
            2 * ((found == k) & (truth == k)).sum() / ((found == k).sum() + (truth == k).sum())
            for found in (by_anatomy, by_intensity)
        )
        assert good > usual
