"""Typical fingerprints, and plans made from them."""

from __future__ import annotations

from typing import Any, Literal

from disanat.plans import CaseFingerprint, Fingerprint, IntTriple, Plans, Triple
from disanat.tissues import NUMBERINGS
from planning.planner import plan

BOTH = ("2d", "3d_fullres")
MAPPING = NUMBERINGS["dlmuse"]


def case(name: str, spacing: Triple, shape: IntTriple) -> CaseFingerprint:
    return CaseFingerprint(
        name, (0,), spacing, shape, shape, "LPS", False, (0.0,), 1400.0, ((0, 1, 2, 3, 4),), (1,),
        (0.1,), (0.1,), (spacing,), max(spacing), "0" * 64, "labels",
    )  # fmt: skip


def fingerprint(
    spacing: Triple = (2.0, 2.0, 2.0),
    shape: IntTriple = (70, 92, 72),
    cases: int = 80,
    prior: bool = True,
    channels: int = 1,
) -> Fingerprint:
    found = tuple(case(f"case{i:03}", spacing, shape) for i in range(cases))
    names = ("T1", "T2", "FLAIR", "PD", "T1c", "SWI")[:channels]
    return Fingerprint("Dataset005_IXI", names, found, spacing, shape, False, prior)


def make(
    found: Fingerprint, device: Literal["cpu", "cuda"] = "cpu", memory: float = 16.0, **more: Any
) -> Plans:
    return plan(found, MAPPING, device=device, memory_gb=memory, **more)
