"""The atlas brought onto a scan by its tissues: affine, dense, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from parted_brains import SPACING, PartedBrain, atlas_parts, both_of, parted_brain
from solid_tissues import move_of

from disanat.anatomy.anatomy_registration import distance_mm, register_linear
from disanat.anatomy.anatomy_registration_dense import register_dense
from disanat.anatomy.atlas import atlas_fit, atlas_tissues
from disanat.anatomy.atlas_by_anatomy import Anatomies, agreeing, bent, linear
from disanat.anatomy.atlas_placement import place_atlas
from disanat.anatomy.atlas_registration import centred_image, warp
from disanat.anatomy.soft_anatomy import moved_points
from disanat.anatomy.template import load_atlas
from disanat.anatomy.transforms import affine_transform, matrix_of
from disanat.errors import ImplausibleError, PlanError

MOVE = move_of(28.0, (6.0, -5.0, 8.0), 1.06)


@pytest.fixture(scope="module")
def scan() -> PartedBrain:
    return parted_brain(MOVE, ventricles=1.35)


@pytest.fixture(scope="module")
def found(scan: PartedBrain) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(f"{register_linear.__module__}._LEVELS_MM", (9.0, 7.0, 5.0))
        patched.setattr(f"{register_linear.__module__}._STARTS_TRIED", 2)
        return linear(both_of(scan))


def dice(labels: np.ndarray, scan: PartedBrain) -> float:
    pairs = [(labels == k, scan.truth == k) for k in (1, 2, 3)]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs]))


def test_a_matrix_and_its_transform_say_the_same() -> None:
    centre = np.array([5.0, -20.0, 30.0])
    for transform in (affine_transform(MOVE), affine_transform(MOVE, centre)):
        np.testing.assert_allclose(matrix_of(transform), MOVE, atol=1e-9)
        np.testing.assert_allclose(
            transform.TransformPoint((1.0, 2.0, 3.0)), moved_points(MOVE, [(1, 2, 3)])[0]
        )
    np.testing.assert_allclose(affine_transform(MOVE, centre).GetCenter(), centre)


def test_the_affine_part_is_where_the_scan_was_put(
    scan: PartedBrain, found: np.ndarray
) -> None:
    places = scan.seen.coarse(8.0).places()
    assert distance_mm(found, MOVE, places) < 2.0 < distance_mm(np.eye(4), MOVE, places)
    assert 0.8 < agreeing(both_of(scan), found) < 0.99


def test_wide_ventricles_are_met_densely(
    scan: PartedBrain, found: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{register_dense.__module__}._LEVELS", ((8.0, 6),))
    dense = register_dense(scan.seen, atlas_parts(), found)
    monkeypatch.setattr(f"{bent.__module__}.register_dense", lambda *_: dense)
    monkeypatch.setattr(f"{bent.__module__}.linear", lambda _: found)
    whole = bent(both_of(scan), found, centred_image(scan.image, SPACING))
    places = scan.seen.coarse(12.0).places()
    there = np.array([whole.TransformPoint(p.tolist()) for p in places])
    assert np.linalg.norm(there - dense.forward(places), axis=1).mean() < 0.3
    assert np.linalg.norm(there - moved_points(found, places), axis=1).max() > 2.0
    far = np.array([[180.0, 0.0, 0.0]])  # beyond the grid
    np.testing.assert_allclose(whole.TransformPoint(far[0].tolist()), moved_points(found, far)[0])
    affine, grid = affine_transform(found), centred_image(scan.image, SPACING)
    fluid = centred_image(load_atlas().csf, load_atlas().spacing)
    rough, fine = (
        warp(fluid, grid, t, sitk.sitkLinear)[scan.truth == 1].mean() for t in (affine, whole)
    )
    assert fine > rough + 0.04
    labels = atlas_tissues(scan.image, SPACING, scan.brain, "anatomy", both_of(scan))
    assert dice(labels, scan) > 0.75 and not labels[~scan.brain].any()


def test_both_refines_by_intensity_what_the_tissues_found(
    scan: PartedBrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = centred_image(scan.image, SPACING)
    mask = centred_image(scan.brain, SPACING)
    rough = MOVE.copy()
    rough[:3, 3] += 3.0
    monkeypatch.setattr("disanat.anatomy.atlas_by_anatomy.linear", lambda _: rough)
    alone = place_atlas(image, mask, "anatomy", both_of(scan), dense=False)
    both = place_atlas(image, mask, "both", both_of(scan), dense=False)
    places = scan.seen.coarse(8.0).places()
    off = [distance_mm(matrix_of(p.linear), MOVE, places) for p in (alone, both)]
    assert off[1] < 2.5 < 5.0 < off[0]
    assert both.agreement is not None and alone.agreement is not None
    assert both.agreement > alone.agreement


def test_intensity_asks_for_no_anatomies(scan: PartedBrain) -> None:
    image, mask = centred_image(scan.image, SPACING), centred_image(scan.brain, SPACING)
    placed = place_atlas(image, mask, "intensity")
    assert placed.agreement is None and placed.whole is placed.linear
    with pytest.raises(PlanError, match="registered by 'both' without the tissues .*'intensity'"):
        place_atlas(image, mask, "both")


def test_what_lies_as_no_head_does_is_refused(
    scan: PartedBrain, found: np.ndarray
) -> None:
    turned = np.diag([-1.0, 1.0, -1.0, 1.0])
    with pytest.raises(ImplausibleError, match=r"turned by 1\d\d degrees: check the scan's orient"):
        agreeing(both_of(scan), turned @ found)
    shifted = found.copy()
    shifted[:3, 3] += 15.0
    with pytest.raises(ImplausibleError, match=r"Dice of only 0\.\d\d, below 0\.\d\d: check"):
        agreeing(both_of(scan), shifted)
    # Upside down and back to front: the tissues lie as in no brain that is turned like this.
    odd = replace(scan.seen, probabilities=scan.seen.probabilities[:, ::-1, ::-1].copy())
    fit = atlas_fit(scan.image, SPACING, scan.brain, "anatomy", Anatomies(odd, atlas_parts()))
    assert fit.refused and "--atlas_registration intensity" in fit.refused


def test_a_fit_has_overlap_and_agreement(scan: PartedBrain, found: np.ndarray) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("disanat.anatomy.atlas_by_anatomy.linear", lambda _: found)
        fit = atlas_fit(scan.image, SPACING, scan.brain, "anatomy", both_of(scan))
    assert fit.overlap > 0.9 and fit.agreement == pytest.approx(agreeing(both_of(scan), found))
    assert fit.refused == ""
