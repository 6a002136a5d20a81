"""`3d_lowres`: a coarser grid on which a network sees the whole brain at once."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from disanat.plans import Triple
from planning.sizing import (
    FIRST_FEATURES,
    Frame,
    Sizes,
    configure,
    fit,
    too_slow,
    topology_of,
    wanted_patch,
)
from planning.spacing import describe_spacing

__all__ = ["lowres_spacing"]

_ENOUGH = 0.5
_STEP = 1.05
_COARSEST_MM = 12.0


def lowres_spacing(frame: Frame, memory_gb: float) -> tuple[Triple | None, str]:
    """The voxel size of `3d_lowres` in mm (S, P, L), None where it does not pay; and why.

    It pays where the patch of `3d_fullres` covers less than half of the median brain. Then the
    finest axes are made coarser in steps of 5%, until the whole brain fits the memory.

    Args:
        frame: of `3d_fullres`.
        memory_gb: of the device.
    """
    patch = fit(frame, memory_gb).patch
    limit = f"in {memory_gb:g} GB" if frame.device == "cuda" else f"in {memory_gb:g} GB on a CPU"
    share = prod(min(1.0, edge / size) for edge, size in zip(patch, frame.crop, strict=True))
    if share >= _ENOUGH:
        return None, (
            f"A patch of 3d_fullres covers {share:.0%} of the median brain {limit}, "
            f"and a coarser grid pays only below {_ENOUGH:.0%}."
        )
    finest = min(frame.spacing)
    while finest < _COARSEST_MM and not _whole_brain_fits(_coarser(frame, finest), memory_gb):
        finest *= _STEP
    spacing = _coarser(frame, finest).spacing
    return spacing, (
        f"A patch of 3d_fullres covers only {share:.0%} of the median brain {limit}; "
        f"at {describe_spacing(spacing)} it is seen whole."
    )


def _coarser(frame: Frame, finest: float) -> Frame:
    s, p, l_ = (round(max(mm, finest), 4) for mm in frame.spacing)
    crop = tuple(
        size * old / new
        for size, old, new in zip(frame.crop, frame.spacing, (s, p, l_), strict=True)
    )
    return replace(frame, spacing=(s, p, l_), crop=crop)


def _whole_brain_fits(frame: Frame, memory_gb: float) -> bool:
    patch = topology_of(frame, wanted_patch(frame)).patch_size
    if too_slow(frame, patch):
        return False
    sizes = Sizes(patch, 2, FIRST_FEATURES[frame.device])
    return configure(frame, sizes).estimated_memory_gb <= memory_gb
