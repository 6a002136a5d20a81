"""Affine matrices (L, P, S, mm) as transforms of SimpleITK, and back."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

__all__ = ["affine_transform", "matrix_of"]


def affine_transform(
    matrix: np.ndarray, centre: np.ndarray | None = None
) -> sitk.AffineTransform:
    """The transform of a matrix (4, 4), which turns about a centre (L, P, S, mm) or the origin."""
    about = np.zeros(3) if centre is None else np.asarray(centre)
    transform = sitk.AffineTransform(3)
    transform.SetCenter(about.tolist())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation((matrix[:3, :3] @ about + matrix[:3, 3] - about).tolist())
    return transform


def matrix_of(transform: sitk.Transform) -> np.ndarray:
    """(4, 4) of a linear transform."""
    matrix = np.eye(4)
    matrix[:3, 3] = transform.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = transform.TransformPoint(np.eye(3)[axis].tolist()) - matrix[:3, 3]
    return matrix
