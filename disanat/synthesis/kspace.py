"""Axial slices as an MR scanner samples them: k-space, which part of it is measured, and motion.

Images have the axes S, P, L; each axial slice is one 2D acquisition whose phase is encoded along L.
K-space keeps the order of the discrete Fourier transform: the zero frequency comes first.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

__all__ = [
    "cartesian_mask",
    "move_lines",
    "radial_mask",
    "smooth_phase",
    "to_image",
    "to_kspace",
    "zero_filled",
]

_PLANE = (-2, -1)
_CENTRE_SHARE = 0.32
"""Share of the measured lines that lie in the densely sampled centre."""
_GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2
_PHASE_SD = 0.5


def to_kspace(image: np.ndarray) -> np.ndarray:
    """The orthonormal 2D Fourier transform of each axial slice; complex64."""
    return np.asarray(fft.fft2(image.astype(np.complex64), axes=_PLANE, norm="ortho"))


def to_image(kspace: np.ndarray) -> np.ndarray:
    """The complex image of k-space; the inverse of `to_kspace`."""
    return np.asarray(fft.ifft2(kspace.astype(np.complex64), axes=_PLANE, norm="ortho"))


def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The magnitude image where all that was not measured is taken for zero.

    Args:
        kspace: complex (S, P, L).
        mask: bool, what was measured; of a shape that broadcasts to one slice.
    """
    return np.asarray(np.abs(to_image(np.where(mask, kspace, 0))), np.float32)


def cartesian_mask(
    shape: tuple[int, int], acceleration: float, rng: np.random.Generator
) -> np.ndarray:
    """Random lines along P, denser towards the centre of k-space, whose middle is whole.

    Args:
        shape: of a slice, (P, L).
        acceleration: one line in so many is measured; 1 measures all.
        rng: source of randomness.

    Returns:
        bool of that shape.

    Source: variable-density sampling as in Lustig et al., Sparse MRI, MRM 58, 2007.
    """
    lines = shape[1]
    wanted = min(lines, max(1, round(lines / acceleration)))
    distance = np.abs(np.fft.fftfreq(lines)) / 0.5
    centre = np.argsort(distance, kind="stable")[: max(1, round(_CENTRE_SHARE * wanted))]
    # Drawing without replacement by weights: the largest of log(weight) + Gumbel noise.
    keys = np.log((1 - distance) ** 2 + 0.02) + rng.gumbel(size=lines)
    keys[centre] = np.inf
    measured = np.zeros(lines, bool)
    measured[np.argsort(-keys, kind="stable")[:wanted]] = True
    return np.broadcast_to(measured, shape).copy()


def radial_mask(shape: tuple[int, int], acceleration: float) -> np.ndarray:
    """Spokes through the centre of k-space at golden angles, moved to the nearest grid points.

    Args:
        shape: of a slice, (P, L).
        acceleration: as many readouts as `cartesian_mask` has lines. (The whole disc would need
            pi/2 times as many as there are lines, so that 1 leaves gaps already.)

    Returns:
        bool of that shape; the corners of k-space are never measured.

    Source: Winkelmann et al., IEEE Transactions on Medical Imaging 26, 2007 (golden angles).
    """
    spokes = max(1, round(shape[1] / acceleration))
    angles = np.arange(spokes)[:, None] * _GOLDEN_ANGLE
    radii = np.linspace(-0.5, 0.5, 4 * max(shape), endpoint=False)
    at = [
        np.rint(radii * turned * n).astype(int) % n
        for n, turned in zip(shape, (np.sin(angles), np.cos(angles)))
    ]
    mask = np.zeros(shape, bool)
    mask[at[0], at[1]] = True
    return mask


def smooth_phase(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A slowly varying phase in radians, of second degree in the place; float32.

    Magnitude images have lost theirs. Without one, one half of k-space would mirror the other, and
    any undersampling would look easier than it is.
    """
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    grid = np.meshgrid(*axes, indexing="ij", sparse=True)
    terms = [*grid, *(a * b for i, a in enumerate(grid) for b in grid[i:])]
    phase = np.zeros(shape, np.float32)
    for term in terms:
        phase += np.float32(rng.normal(0, _PHASE_SD)) * term
    return phase


def move_lines(kspace: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """K-space of a head that lay elsewhere while some of the lines were measured.

    A shift is a linear phase (the shift theorem). One and the same shift for all lines moves the
    image; different ones make ghosts along L.

    Args:
        kspace: complex (S, P, L).
        shifts: (L, 2), for each line along P (in the order of k-space) the shift along P and L in
            voxels.
    """
    p, l = (np.fft.fftfreq(n) for n in kspace.shape[1:])
    cycles = p[:, None] * shifts[None, :, 0] + (l * shifts[:, 1])[None]
    return np.asarray(kspace * np.exp(-2j * np.pi * cycles), np.complex64)
