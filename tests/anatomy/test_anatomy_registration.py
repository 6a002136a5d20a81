"""Brains brought together by their tissues alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from solid_tissues import SPACING_MM, move_of, solid_tissues

from disanat.anatomy.anatomy_registration import (
    agreement,
    distance_mm,
    mirrored_agreement,
    register_linear,
)
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy, moved_points
from disanat.errors import ImageError


@pytest.fixture(scope="module")
def brain() -> SoftAnatomy:
    return solid_tissues()


def put(move: np.ndarray) -> SoftAnatomy:
    """The brain whose places a move took elsewhere."""
    return solid_tissues(lambda places: moved_points(np.linalg.inv(move), places))


def test_a_known_turn_is_found_and_the_other_way_round_is_its_inverse(
    brain: SoftAnatomy,
) -> None:
    turn = 40.0
    move = move_of(turn, (10.0, 8.0, -12.0))
    moved = put(move)
    found = register_linear(brain, moved)
    places = brain.places()
    assert distance_mm(found.matrix, np.eye(4), places) > 5  # there was something to find
    assert distance_mm(found.matrix, move, places) < SPACING_MM / 4
    assert found.turn_deg == pytest.approx(turn, abs=1)
    assert found.agreement_before < found.agreement_after and found.agreement_after > 0.95
    np.testing.assert_allclose(np.linalg.det(found.matrix), 1, atol=1e-6)
    back = register_linear(moved, brain)
    assert distance_mm(back.matrix @ found.matrix, np.eye(4), places) < 0.1


def test_affine_finds_a_scale_that_rigid_does_not(brain: SoftAnatomy) -> None:
    move = move_of(10.0, (5.0, 0.0, 5.0), scale=0.88)
    moved = put(move)
    rigid, affine = (register_linear(brain, moved, freedom) for freedom in ("rigid", "affine"))
    places = brain.places()
    assert distance_mm(affine.matrix, move, places) < SPACING_MM / 4
    assert distance_mm(rigid.matrix, move, places) > SPACING_MM / 2
    assert affine.agreement_after > rigid.agreement_after + 0.02


def test_wherever_the_headers_put_it(brain: SoftAnatomy) -> None:
    away = move_of(120.0, (400.0, -300.0, 200.0))
    moved = replace(brain, to_mm=away @ brain.to_mm, view_to_mm=away @ brain.view_to_mm)
    found = register_linear(brain, moved)
    assert found.agreement_before == 0
    assert distance_mm(found.matrix, away, brain.places()) < SPACING_MM / 4


def test_what_a_scan_does_not_show_does_not_pull(brain: SoftAnatomy) -> None:
    move = move_of(8.0, (4.0, 6.0, 0.0))
    moved = put(move)
    shown = moved.probabilities[:, :27]  # its top is cut off
    cut = replace(moved, probabilities=shown, view_shape=shown.shape[1:])
    assert shown.sum() < 0.97 * moved.probabilities.sum()
    found = register_linear(brain, cut)
    assert distance_mm(found.matrix, move, brain.places()) < SPACING_MM / 4


def test_a_mirror_image_is_told_from_the_brain(brain: SoftAnatomy) -> None:
    moved = put(move_of(12.0, (5.0, 5.0, 5.0)))
    found = register_linear(brain, moved)
    own, mirrored = mirrored_agreement(brain, moved, found.matrix)
    assert own == pytest.approx(found.agreement_after, abs=0.01) and mirrored < own - 0.02
    swapped = moved.mirrored()
    mistaken = register_linear(brain, swapped)
    assert mirrored_agreement(brain, swapped, mistaken.matrix) == pytest.approx(
        (mirrored, own), abs=0.01
    )


def test_agreement_is_1_for_the_same_and_0_for_what_does_not_meet(brain: SoftAnatomy) -> None:
    away = np.eye(4)
    away[0, 3] = 1000
    assert agreement(brain, brain, np.eye(4)) == pytest.approx(1)
    assert agreement(brain, brain, away) == 0


def test_mistakes_are_one_sentence(brain: SoftAnatomy) -> None:
    nothing = replace(brain, probabilities=np.zeros_like(brain.probabilities))
    with pytest.raises(ImageError, match="shows only 0 mL of brain.*register by intensity"):
        register_linear(brain, nothing)
    other = replace(brain, probabilities=brain.probabilities[::-1].copy())
    with pytest.raises(NotRegisteredError, match="brought together"):
        register_linear(brain, other)
