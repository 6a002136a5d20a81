"""The page of `benchmarks/atlas_tissues.py`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from disanat.anatomy.atlas import LEAST_OVERLAP
from disanat.anatomy.atlas_by_anatomy import LEAST_AGREEMENT, MOST_TURN_DEG
from disanat.home import atomic_path
from disanat.inference.bundled import bundled_model
from disanat.preprocessing.brain_extractor import shipped_extractor
from disanat.reporting.markdown import markdown_table
from disanat.tissues import THREE_CLASSES
from steps import ROOT, commit, machine

__all__ = ["Fit", "Group", "Measurement", "write_page"]

PAGE = "benchmarks/atlas_tissues.md"


@dataclass(frozen=True)
class Measurement:
    """Dice of the three tissues in one scan, by one way; none if the scan was left out."""

    case: str
    way: str
    dice: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Fit:
    """How well the affinely registered atlas fits one scan; no agreement by intensity."""

    overlap: float
    agreement: float | None
    refused: bool


Group = tuple[str, Mapping[str, Fit]]
"""Name of a scan, and its fits by route."""


def _tissue_rows(found: Sequence[Measurement], ways: Sequence[str]) -> list[dict[str, str]]:
    rows = []
    for way in ways:
        used = [m for m in found if m.way == way and m.dice]
        cells = {"way": way, "n": str(len(used))}
        for at, tissue in enumerate(THREE_CLASSES):
            dice = [m.dice[at] for m in used]
            cells[tissue.name] = f"{np.mean(dice):.3f} ({min(dice):.3f})" if dice else "-"
        cells["seconds"] = f"{np.median([m.seconds for m in found if m.way == way]):.1f}"
        rows.append(cells)
    return rows


def _beside(found: Sequence[Measurement], way: str, other: str) -> str:
    """How often, and by how much, one way is better than another on the same scans."""
    by_case = {m.case: m.dice for m in found if m.way == other and m.dice}
    both = [(m.dice, by_case[m.case]) for m in found if m.way == way and m.dice
            and m.case in by_case]  # fmt: skip
    parts = []
    for at, tissue in enumerate(THREE_CLASSES):
        gains = [ours[at] - theirs[at] for ours, theirs in both]
        better = sum(gain > 0 for gain in gains)
        parts.append(f"{tissue.name} {better} of {len(gains)} ({np.mean(gains):+.3f})")
    return f"- *{way}* better than *{other}*, scans (mean gain): {', '.join(parts)}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}" if values else "-"


def _fit_rows(groups: Mapping[str, Sequence[Group]]) -> list[dict[str, str]]:
    rows = []
    for name, scans in groups.items():
        for route in scans[0][1]:
            fits = [by_route[route] for _, by_route in scans]
            there = [fit for fit in fits if fit.overlap]
            rows.append(
                {
                    "scans": name,
                    "route": route,
                    "n": str(len(fits)),
                    "brains": _range([fit.overlap for fit in there]),
                    "tissues": _range([f.agreement for f in there if f.agreement is not None]),
                    "left out": str(sum(fit.refused for fit in fits)),
                }
            )
    return rows


def write_page(
    found: Sequence[Measurement],
    groups: Mapping[str, Sequence[Group]],
    ways: Sequence[str],
    encoder: str,
) -> str:
    """Write the page, and return it."""
    shipped = bundled_model()
    finished = shipped.finished if shipped else "none"
    missing = [f"{m.case} ({m.way})" for m in found if not m.dice]
    lines = [
        "# Tissues by the atlas",
        "",
        "Written by `benchmarks/atlas_tissues.py`; not edited by hand. The three classes that",
        "training gets with `--prior atlas`, against DLMUSE, on raw IXI T1 scans.",
        "CSF: ventricles and outer fluid. Grey: cortex, deep and cerebellar grey. White: white",
        "matter of cerebrum and cerebellum, and brainstem. The brain mask is the extractor's;",
        "voxels that only one of the two calls brain count as errors.",
        "",
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
        f"- machine: {machine()}; seconds of one core, medians, other work running",
        f"- extractor: {shipped_extractor().description.trained_steps} training steps; encoder: of",
        f"  the model that ships, finished {finished}. None of these people trained the encoder",
        "  (its reference and threshold cases)",
        f"- left out: {', '.join(missing) or 'none'}",
        "",
        "## Routes",
        "",
        "*intensity*: affine, mutual information with the atlas' T1 from four nods. *anatomy*:",
        "the shipped encoder sees the tissues of the scan and of the atlas' T1, and these are",
        "registered, affinely and then densely. *both*: affinely by the tissues, then by mutual",
        "information, then densely by the tissues. All end with the same Gaussian mixture, which",
        "starts from the atlas' maps. Mean Dice (worst scan). Seconds are of the whole route.",
        f"*{encoder[1:-1]}*: no atlas, the tissues that `--prior encoder` takes; it learned them",
        "from DLMUSE maps of other people of IXI, so that this comparison is kind to it.",
        "",
        markdown_table(_tissue_rows(found, [*ways, encoder])),
        "",
        *(_beside(found, way, "intensity") for way in ways if way != "intensity"),
        _beside(found, "anatomy", "anatomy, affine alone"),
        "",
        "## How well the registered atlas fits, and which scans are left out",
        "",
        "*Brains*: Dice of the brain mask and the atlas' brain after affine registration, least",
        "and most. *Tissues*: soft Dice of the tissues that the encoder sees in scan and atlas.",
        f"Preprocessing leaves out a case with brains below {LEAST_OVERLAP:.2f}; by anatomy or",
        f"both also one with tissues below {LEAST_AGREEMENT:.2f}, one for which the atlas would",
        f"have to be turned by more than {MOST_TURN_DEG:.0f} degrees, and one whose registration",
        "comes to different ends from different starts. The bound of the tissues was set on the",
        "sets of other heads below and on other people of IXI (the encoder's validation cases),",
        "as they are and turned. The turned scans are what a header with wrong axes makes of some",
        "of the same scans, with the mask of the scan as it is. In practice a wrong axis spoils",
        "the mask as well. Ranges are of the scans that could be registered.",
        "",
        markdown_table(_fit_rows(groups)),
        "",
    ]
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return "\n".join(lines)
