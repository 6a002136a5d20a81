"""What an acquisition does to an image: off-resonance, motion, low field, thick slices, shifts.

Pure functions on magnitude images with the axes S, P, L, whose air is near 0.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from disanat.synthesis.kspace import move_lines, to_image, to_kspace

__all__ = [
    "field_map",
    "gamma",
    "inverted",
    "low_field",
    "motion_ghosts",
    "off_resonance",
    "profiles",
    "through_slices",
]

Spacing = tuple[float, float, float]

_AIR = ((0.20, 0.02, 0.50, 1.0), (0.12, 0.55, 0.05, -0.6), (0.12, 0.55, 0.95, -0.6))
"""Air near the brain: its place in the brain's box (shares of S, P, L) and its sign; above the
frontal sinus, and beside the two ear canals."""
_AIR_MM = 22.0
_MOST_CYCLES = 0.1
"""Between two frequencies of the segmentation, at the end of the readout."""
_SLICES_AT_ONCE = 16
_BRIGHT = 99.9


def field_map(
    brain: np.ndarray, spacing: Spacing, rng: np.random.Generator
) -> np.ndarray:
    """Where the main field is off after shimming: near the frontal sinus and the ear canals.

    Args:
        brain: bool (S, P, L).
        spacing: voxel size in mm.
        rng: moves and weighs the places a little.

    Returns:
        float32 of the same shape; its median in the brain is 0, its largest absolute value there 1.
    """
    places = np.argwhere(brain)
    low, size = places.min(axis=0), np.ptp(places, axis=0)
    found = np.zeros(brain.shape, np.float32)
    for *share, sign in _AIR:
        centre = low + np.array(share) * size
        axes = [
            (np.arange(n) - c) * mm + rng.normal(0, 3.0)
            for n, c, mm in zip(brain.shape, centre, spacing)
        ]
        bells = [np.exp(-0.5 * (axis / _AIR_MM) ** 2).astype(np.float32) for axis in axes]
        weight = np.float32(sign * rng.uniform(0.8, 1.2))
        found += weight * bells[0][:, None, None] * bells[1][None, :, None] * bells[2]
    found -= np.median(found[brain])
    return np.asarray(found / max(float(np.abs(found[brain]).max()), 1e-6), np.float32)


def off_resonance(image: np.ndarray, hertz: np.ndarray, readout_ms: float) -> np.ndarray:
    """The blur of a readout from the centre of k-space outwards (spiral, radial, PROPELLER).

    A voxel that is off by f collects the phase 2 pi f t(k) until k is read; t grows with the
    distance from the centre, up to the readout's length. Done by frequency segmentation: the image
    is split by its frequencies, linearly between neighbours.

    Args:
        image: magnitude (S, P, L).
        hertz: off-resonance of each voxel, same shape.
        readout_ms: from the centre to the edge of k-space.

    Source: Noll et al., IEEE Transactions on Medical Imaging 10, 1991 (segmentation).
    """
    grid = np.meshgrid(*(np.fft.fftfreq(n) / 0.5 for n in image.shape[1:]), indexing="ij")
    seconds = readout_ms / 1000 * np.minimum(np.hypot(*grid), 1)
    low, high = float(hertz.min()), float(hertz.max())
    steps = int(np.ceil((high - low) * readout_ms / 1000 / _MOST_CYCLES))
    frequencies = np.linspace(low, high, steps + 1) if steps else np.array([low])
    width = (high - low) / steps if steps else 1.0
    blurred = np.empty(image.shape, np.float32)
    for first in range(0, len(image), _SLICES_AT_ONCE):
        some = slice(first, first + _SLICES_AT_ONCE)
        collected = np.zeros(image[some].shape, np.complex64)
        for frequency in frequencies:
            share = np.maximum(1 - np.abs(hertz[some] - frequency) / width, 0)
            part = image[some] * (share if steps else 1)
            if part.any():
                turned = np.exp(-2j * np.pi * frequency * seconds).astype(np.complex64)
                collected += to_kspace(part) * turned
        blurred[some] = np.abs(to_image(collected))
    return blurred


def motion_ghosts(
    image: np.ndarray, spacing: Spacing, amplitude_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """A head that moves to and fro while the lines of k-space are measured one after the other.

    Args:
        image: magnitude (S, P, L).
        spacing: voxel size in mm.
        amplitude_mm: of the shift along P; along L it is half as large. Turns are left out.
        rng: draws the period (6 to 12 lines) and where in it the scan begins.
    """
    lines = image.shape[2]
    order = np.argsort(np.argsort(np.fft.fftfreq(lines)))
    waves = [
        np.sin(2 * np.pi * (order / rng.uniform(6, 12) + rng.uniform())) for _ in range(2)
    ]
    along_p, along_l = amplitude_mm / spacing[1], amplitude_mm / 2 / spacing[2]
    shifts = np.stack([along_p * waves[0], along_l * waves[1]], axis=1)
    return np.asarray(np.abs(to_image(move_lines(to_kspace(image), shifts))), np.float32)


def low_field(
    image: np.ndarray,
    spacing: Spacing,
    voxel_mm: float,
    noise: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Larger voxels and Rician noise, put back onto the same grid.

    The middle of k-space alone is measured, in all three directions, and the rest taken for zero;
    the noise is complex, in what is measured, before the magnitude is taken.

    Args:
        image: magnitude (S, P, L).
        spacing: voxel size in mm.
        voxel_mm: of the acquisition; along axes that are as coarse already nothing is lost.
        noise: standard deviation of the real and of the imaginary part, in the image's units.
        rng: source of the noise.

    Source: Gudbjartsson and Patz, MRM 34, 1995 (the Rician distribution of magnitude images).
    """
    kept = [
        np.abs(np.fft.fftfreq(n)) <= 0.5 * min(1.0, mm / voxel_mm) + 1e-9
        for n, mm in zip(image.shape, spacing)
    ]
    inside = kept[0][:, None, None] & kept[1][None, :, None] & kept[2]
    kspace = fft.fftn(image.astype(np.complex64), norm="ortho")
    # What is left of white noise is spread over all voxels.
    spread = np.float32(noise / np.sqrt(inside.mean()))
    kspace.real += spread * rng.standard_normal(image.shape, np.float32)
    kspace.imag += spread * rng.standard_normal(image.shape, np.float32)
    kspace[~inside] = 0
    return np.asarray(np.abs(fft.ifftn(kspace, norm="ortho")), np.float32)


def profiles(slices: int, spacing_mm: float, thickness_mm: float) -> np.ndarray:
    """What each thick slice is made of: a box as wide as the thickness, gapless, from one end on.

    Args:
        slices: of the fine scan.
        spacing_mm: between them.
        thickness_mm: of the thick ones; where it is a multiple of the spacing, each of them is the
            mean of so many. Not above the spacing: the slices stay as they are.

    Returns:
        float32 (thick slices, slices), rows that sum to 1; the last may reach less far.
    """
    if thickness_mm <= spacing_mm:
        return np.eye(slices, dtype=np.float32)
    wide = thickness_mm / spacing_mm
    thick = max(1, int(np.ceil(slices / wide - 1e-6)))
    begins = wide * np.arange(thick)[:, None]
    fine = np.arange(slices)[None]
    overlap = np.minimum(begins + wide, fine + 1) - np.maximum(begins, fine)
    weights = np.maximum(overlap, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def through_slices(weights: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Apply a matrix along S: (A, S) times (S, P, L) gives (A, P, L)."""
    return np.asarray(np.tensordot(weights, image.astype(np.float32), axes=1), np.float32)


def gamma(image: np.ndarray, exponent: float, brain: np.ndarray) -> np.ndarray:
    """Intensities to a power; the brain's brightest stay where they are, and nothing is cut off."""
    bright = float(np.percentile(image[brain], _BRIGHT))
    return np.asarray(bright * (np.maximum(image, 0) / bright) ** exponent, np.float32)


def inverted(image: np.ndarray, head: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Dark for bright in the head; air stays as it is, and what is brighter than any brain 0."""
    bright = float(image[brain].max())
    return np.asarray(np.where(head, np.maximum(bright - image, 0), image), np.float32)
