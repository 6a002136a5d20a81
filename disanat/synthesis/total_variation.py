"""Reconstruction of undersampled k-space by total variation, with PyProximal's solver."""

from __future__ import annotations

import numpy as np

from disanat.synthesis.kspace import to_image, to_kspace

__all__ = ["total_variation"]

_ITERATIONS = 40
_SLICES_AT_ONCE = 8
_WEIGHT = 0.1
"""Largest size of the dual variable, in units of the image's bright parts. With exact data it
changes how fast the solver gets there, not where."""


def total_variation(
    kspace: np.ndarray, mask: np.ndarray, iterations: int = _ITERATIONS
) -> np.ndarray:
    """The image with the least total variation in each slice that agrees with all measured data.

    Args:
        kspace: complex (S, P, L), as `to_kspace` gives it; what was not measured does not matter.
        mask: bool (P, L), what was measured.
        iterations: of the primal-dual solver.

    Returns:
        The magnitude, float32 (S, P, L).

    Source: Rudin, Osher and Fatemi, Physica D 60, 1992 (total variation); Candes, Romberg and Tao,
    IEEE Transactions on Information Theory 52, 2006 (from part of k-space); Chambolle and Pock,
    Journal of Mathematical Imaging and Vision 40, 2011 (the solver).
    """
    measured = np.where(mask, kspace, 0).astype(np.complex64)
    if mask.all():
        return np.asarray(np.abs(to_image(measured)), np.float32)
    scale = float(np.percentile(np.abs(to_image(measured)), 99)) or 1.0
    image = np.zeros(kspace.shape, np.float32)
    shown = np.flatnonzero(measured.any(axis=(1, 2)))
    for first in range(0, shown.size, _SLICES_AT_ONCE):
        chosen = shown[first : first + _SLICES_AT_ONCE]
        image[chosen] = scale * _solve(measured[chosen] / scale, mask, iterations)
    return image


def _solve(measured: np.ndarray, mask: np.ndarray, iterations: int) -> np.ndarray:
    """A few slices: isotropic total variation, complex, under exact data."""
    import pylops  # both take seconds to import
    from pyproximal import L21, ProxOperator
    from pyproximal.optimization.primaldual import PrimalDual

    class MeasuredData(ProxOperator):
        """The projection onto the images that agree with the data."""

        def __init__(self) -> None:
            super().__init__(None, False)

        def __call__(self, x: np.ndarray) -> float:
            return 0.0

        def prox(self, x: np.ndarray, tau: float) -> np.ndarray:
            agreed = np.where(mask, measured, to_kspace(x.reshape(measured.shape)))
            return to_image(agreed).ravel()

    gradient = pylops.VStack(
        [
            pylops.FirstDerivative(measured.shape, axis=axis, kind="forward", dtype="complex64")
            for axis in (1, 2)
        ]
    )
    step = float(1 / np.sqrt(8))  # the gradient's norm is below the root of 8
    found = PrimalDual(
        MeasuredData(),
        L21(ndim=2, sigma=_WEIGHT),
        gradient,
        x0=to_image(measured).ravel(),
        tau=step,
        mu=step,
        niter=iterations,
    )
    return np.abs(np.reshape(found, measured.shape))
