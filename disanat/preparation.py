"""Which steps take scans to the networks: the same in training and at prediction."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["USUAL", "Preparation"]


@dataclass(frozen=True)
class Preparation:
    """What the plan says about the preparation of scans; the defaults are what disanat does."""

    bias_correction: bool = False
    """Whether N4 takes the bias field out of each scan first."""
    fixed_scale: tuple[float, float] | None = None
    """Mean and deviation, in the scans' units, by which all scans are standardised alike; None
    takes those of each scan's own brain."""
    resampling: bool = True
    """Whether scans are brought to the plan's voxel size; else each keeps its own."""


USUAL = Preparation()
