"""The tissues of a scan in space, as the encoder that ships with disanat sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.anatomy.soft_anatomy import SoftAnatomy
from disanat.errors import ModelError
from disanat.inference import bundled
from disanat.inference.model import Model, load_model
from disanat.inference.preparation import prepare_case
from disanat.io.images import Scan, canonical_frame
from disanat.plans import BrainMaskTool
from disanat.tissues import joined_probabilities

__all__ = ["anatomy_encoder", "soft_anatomy"]


def anatomy_encoder(device: str = "cpu") -> Model:
    """The shipped model, whose encoder names tissues in any contrast.

    Raises:
        ModelError: it is not there.
    """
    if bundled.bundled_model() is None:
        raise ModelError(
            "No model ships with this installation, so scans cannot be registered by their "
            "anatomy: register by intensity (--register intensity), or install disanat again."
        )
    return load_model(bundled.bundled_folder(), device)


def soft_anatomy(
    scan: Scan,
    encoder: Model,
    tool: BrainMaskTool = "extractor",
    brain_mask: Path | Scan | None = None,
) -> SoftAnatomy:
    """The tissues of one scan, of any contrast, on its own grid.

    Args:
        scan: with its skull or without.
        encoder: a model whose method names tissues.
        tool: what finds the brain in a whole head.
        brain_mask: the user's own mask, or its file.

    Raises:
        ImageError: no plausible brain was found, or the user's mask cannot be used.
        ModelError: the model's method names no tissues.
    """
    prepared = prepare_case({0: scan}, encoder.configuration.spacing, tool, brain_mask)
    probabilities = encoder.method.anatomy(prepared.channels[0].image)
    if probabilities is None:
        raise ModelError(f"The method {encoder.method.name} of {encoder.folder} names no tissues.")
    whole = joined_probabilities(probabilities, encoder.method.scheme)[1:]
    whole = whole * prepared.channels[0].brain
    view = _to_mm(canonical_frame(scan.geometry))
    return SoftAnatomy(
        whole,
        view @ _crop_to_scan(prepared.box, whole.shape[1:]),
        view,
        (scan.array.shape[0], scan.array.shape[1], scan.array.shape[2]),
    )


def _to_mm(frame: sitk.Image) -> np.ndarray:
    """(4, 4): index (S, P, L) of a canonical image to its place in mm."""
    axes = np.reshape(frame.GetDirection(), (3, 3)) * np.array(frame.GetSpacing())
    matrix = np.eye(4)
    matrix[:3, :3] = axes[:, ::-1]
    matrix[:3, 3] = frame.GetOrigin()
    return matrix


def _crop_to_scan(box: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    """(4, 4): index in a crop that was brought to `shape`, edges aligned, to the scan's index."""
    matrix = np.eye(4)
    for axis, (part, n) in enumerate(zip(box, shape)):
        step = (part.stop - part.start) / n
        matrix[axis, axis] = step
        matrix[axis, 3] = part.start + (step - 1) / 2
    return matrix
