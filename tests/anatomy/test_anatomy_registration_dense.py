"""Brains of different shape brought together, smoothly and in both directions."""

from __future__ import annotations

import numpy as np
import pytest
from solid_tissues import SPACING_MM, solid_tissues

from disanat.anatomy.anatomy_registration_dense import (
    DenseRegistration,
    jacobian_determinants,
    register_dense,
)
from disanat.anatomy.rigid import NotRegisteredError
from disanat.anatomy.soft_anatomy import SoftAnatomy

DEEP_MM = 8.0


def bent(places: np.ndarray) -> np.ndarray:
    """Places moved by up to 8 mm along waves."""
    waves = np.stack([np.sin(places[:, (1, 2, 0)[n]] / 25) for n in range(3)], axis=1)
    return places + DEEP_MM * waves


@pytest.fixture(scope="module")
def brains() -> tuple[SoftAnatomy, SoftAnatomy]:
    return solid_tissues(bent), solid_tissues()


@pytest.fixture(scope="module")
def found(brains: tuple[SoftAnatomy, SoftAnatomy]) -> DenseRegistration:
    return register_dense(*brains, np.eye(4))


def test_a_known_bend_is_found(
    brains: tuple[SoftAnatomy, SoftAnatomy], found: DenseRegistration
) -> None:
    fixed, _ = brains
    places, across = _rims(fixed)

    def off(moved: np.ndarray) -> float:
        return float(np.abs(((moved - bent(places)) * across).sum(1)).mean())

    assert off(places) > SPACING_MM and off(found.forward(places)) < SPACING_MM / 2


def _rims(brain: SoftAnatomy) -> tuple[np.ndarray, np.ndarray]:
    """Places on the rims of tissues and the directions across, which alone can be known."""
    slopes = np.stack(np.gradient(brain.probabilities, axis=(1, 2, 3)))  # (3, tissues, S, P, L)
    length = np.linalg.norm(slopes, axis=0)
    there = np.nonzero((length == length.max(0)) & (length > 0.3))
    across = slopes[(slice(None), *there)] / length[there]
    places = np.stack(there[1:], axis=1) @ brain.to_mm[:3, :3].T + brain.to_mm[:3, 3]
    return places, across[::-1].T


def test_the_way_back_leads_back(
    brains: tuple[SoftAnatomy, SoftAnatomy], found: DenseRegistration
) -> None:
    fixed, moving = brains
    places = fixed.places()
    assert np.linalg.norm(found.forward(places) - places, axis=1).mean() > SPACING_MM
    mean, largest = found.inconsistency_mm(places)
    assert mean < 0.1 and largest < 1


def test_exchanging_the_brains_negates_the_field(
    brains: tuple[SoftAnatomy, SoftAnatomy], monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed, moving = brains
    monkeypatch.setattr(f"{register_dense.__module__}._LEVELS", ((8.0, 3),))
    found, swapped = (register_dense(a, b, np.eye(4)) for a, b in (brains, (moving, fixed)))
    assert np.abs(found.velocity).max() > 1
    np.testing.assert_allclose(swapped.velocity, -found.velocity, atol=1e-4)


def test_nothing_folds(
    brains: tuple[SoftAnatomy, SoftAnatomy], found: DenseRegistration
) -> None:
    determinants = jacobian_determinants(found, brains[0])
    assert determinants.min() > 0.1 and determinants.std() > 0.05


def test_the_same_brain_is_left_alone(brains: tuple[SoftAnatomy, SoftAnatomy]) -> None:
    same = register_dense(brains[1], brains[1], np.eye(4))  # its first step is its last
    places = brains[1].places()
    np.testing.assert_allclose(same.forward(places), places, atol=1e-3)
    np.testing.assert_allclose(jacobian_determinants(same, brains[1]), 1, atol=1e-3)


def test_half_a_turn_is_refused(brains: tuple[SoftAnatomy, SoftAnatomy]) -> None:
    with pytest.raises(NotRegisteredError, match="half a turn"):
        register_dense(*brains, np.diag([1.0, -1.0, 1.0, 1.0]))
