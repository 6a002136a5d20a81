"""What a method shows of a batch while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

__all__ = ["Picture", "pictures_of"]


@dataclass(frozen=True)
class Picture:
    """One map of each sample of a batch, (batch, ...), to be looked at.

    `grey` is in standardised intensities, `tissues` holds whole numbers of tissue classes (0:
    nothing), `difference` is signed, in standardised intensities.
    """

    values: Tensor
    kind: Literal["grey", "tissues", "difference"]


def pictures_of(
    scan: Tensor, phi: Tensor, between: Mapping[str, Picture] | None = None
) -> dict[str, Picture]:
    """The pictures that every method has, (batch, ...), and what comes between scan and PHI."""
    return {
        "scan": Picture(scan, "grey"),
        **(between or {}),
        "PHI": Picture(phi, "grey"),
        "scan - PHI": Picture(scan - phi, "difference"),
    }
