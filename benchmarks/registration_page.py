"""The page of the registration benchmark: tables of what was measured."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disanat.home import atomic_path
from disanat.inference.registering import LEAST_AGREEMENT, MIRRORED_BY
from disanat.reporting.markdown import markdown_table
from steps import commit, machine

__all__ = ["PAGE", "SUCCESS_MM", "write_page"]

PAGE = "benchmarks/registration.md"
SUCCESS_MM = 2.0
Row = dict[str, Any]


def write_page(rows: Sequence[Row], page: Path) -> str:
    """Write what was measured; parts without rows are left out. Returns the page."""
    text = [
        "# Registration by anatomy and by intensity",
        "",
        "Written by `benchmarks/registration.py`; not edited by hand.",
        "",
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([str(page)])}",
        f"- machine: {machine()}; seconds are of one core, medians",
        "- tissues: the encoder of the model that ships with disanat, at 2 mm. No person of IXI on",
        "  this page trained it (held out: its validation, reference and threshold cases). It",
        "  learned the 8 tissues from other people's DLMUSE maps; it never saw their regions apart",
        "- routes: *anatomy*: rigid or affine on the tissues' probabilities. *intensity*: mutual",
        "  information (rigid: `--register intensity`; affine: as the atlas is registered).",
        "  *both*: the tissues find it, mutual information refines it (`--register` alone)",
        "",
    ]
    for part, section in SECTIONS.items():
        own = [row for row in rows if row["part"] == part]
        if own:
            text += [*section(own), ""]
    with atomic_path(page) as temporary:
        temporary.write_text("\n".join(text), encoding="utf-8")
    return "\n".join(text)


def _by(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def _numbers(rows: Sequence[Row], key: str) -> np.ndarray:
    return np.array([np.nan if row[key] is None else row[key] for row in rows], float)


def _mm(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "none found"


def _found(rows: Sequence[Row]) -> dict[str, str]:
    errors = _numbers(rows, "error_mm")
    good = errors < SUCCESS_MM
    wrong = (errors >= SUCCESS_MM) & np.isfinite(errors)
    return {
        "n": str(len(rows)),
        "success": f"{good.sum()} of {len(rows)}",
        "refused": str(int((~np.isfinite(errors)).sum())),
        "wrong": str(int(wrong.sum())),
        "error of successes, median (largest), mm": f"{_mm(np.median(errors[good]))} "
        f"({_mm(errors[good].max())})" if good.any() else "-",
        "seconds": f"{np.median(_numbers(rows, 'seconds')):.1f}",
    }  # fmt: skip


def people(rows: Sequence[Row]) -> list[str]:
    table = []
    for (route,), own in _by(rows, "route").items():
        dense = np.isfinite(_numbers(own, "least_jacobian")).all()
        regions, tissues = _numbers(own, "regions"), _numbers(own, "tissues")
        table.append({
            "route": route,
            "pairs": str(len(own)),
            "Dice, regions": f"{regions.mean():.3f} ({regions.min():.3f})",
            "Dice, tissues": f"{tissues.mean():.3f} ({tissues.min():.3f})",
            "there and back, mm": f"{_numbers(own, 'inverse_mm').mean():.3f}",
            "Jacobian <= 0": f"{100 * _numbers(own, 'folded').mean():.3f}%" if dense else "-",
            "smallest Jacobian": f"{_numbers(own, 'least_jacobian').min():.2f}" if dense else "-",
            "seconds": f"{np.median(_numbers(own, 'seconds')):.1f}",
        })  # fmt: skip
    return [
        "## Two people, T1",
        "",
        "Mean (worst pair) of the Dice of DLMUSE maps, one brought onto the other: of all",
        "regions, which no route has seen, and of the 8 tissues. *There and back*: how far on",
        "average a place comes back from itself when the scans are exchanged (linear: registered",
        "anew; dense: the inverse of one result). Jacobian: of all voxels of the brain. Seconds",
        "without finding the tissues (about two for each scan); those of the dense route come on",
        "top of the affine one's.",
        "",
        markdown_table(table),
    ]


def contrasts(rows: Sequence[Row]) -> list[str]:
    table = [
        {"change": change, "put elsewhere": "by the header" if way == "header" else "in the voxels",
         "route": route, **_found(own)}
        for (change, way, route), own in sorted(_by(rows, "change", "way", "route").items())
    ]  # fmt: skip
    total = [
        {"put elsewhere": "by the header" if way == "header" else "in the voxels",
         "route": route, **_found(own)}
        for (way, route), own in sorted(_by(rows, "way", "route").items())
    ]  # fmt: skip
    return [
        "## A scan and itself in another contrast, put elsewhere",
        "",
        "T1 of held-out people of IXI against the same scan, unchanged or with another contrast,",
        "turned by up to 45 degrees about any axis and shifted by up to 40 mm in any direction:",
        "by the header alone, or resampled, so that the head lies oblique in the voxels. A success",
        f"is a mean error of less than {SUCCESS_MM:g} mm over the brain. *Refused*: the route said",
        "that it found nothing; *wrong*: it gave a result that is no success. Seconds of *anatomy*",
        "include finding the moved scan's tissues; *both*, measured after it, has them already.",
        "",
        markdown_table(total),
        "",
        markdown_table(table),
    ]


def aligned(rows: Sequence[Row]) -> list[str]:
    table = [
        {"scans": name, "to": contrast, "route": route, **_found(own)}
        for (name, contrast, route), own in _by(rows, "set", "contrast", "route").items()
    ]
    return [
        "## Channels that lay on each other, put elsewhere",
        "",
        "The first channel of each set is FLAIR (Kirby21: T1). The set's own registration counts",
        "as truth; it is not exact itself. Put elsewhere by the header, as above.",
        "",
        markdown_table(table),
    ]


def elderly(rows: Sequence[Row]) -> list[str]:
    still = [row for row in rows if row["kind"] == "still"]
    apart = [
        {"route": route, "pairs": str(len(own)),
         "from intensity, mean (largest), mm": f"{_mm(_numbers(own, 'apart_mm').mean())} "
         f"({_mm(_numbers(own, 'apart_mm').max())})"}
        for (route,), own in _by(still, "route").items()
    ]  # fmt: skip
    moved = [row for row in rows if row["kind"] == "moved"]
    table = [{"route": route, **_found(own)} for (route,), own in _by(moved, "route").items()]
    return [
        "## T1 and FLAIR of elderly people",
        "",
        "Their true places are not known. How far each route lies from mutual information,",
        "headers as they are; and, with the FLAIR put elsewhere by its header, from what the same",
        "route found before.",
        "",
        markdown_table(apart),
        "",
        markdown_table(table),
    ]


def same(rows: Sequence[Row]) -> list[str]:
    def told(own: Sequence[Row], key: str) -> str:
        values = _numbers(own, key)
        return f"{values.min():.3f} to {values.max():.3f}"

    table = [
        {"fixed and moving": who, "n": str(len(own)), "agreement": told(own, "agreement"),
         "mirrored": told(own, "mirrored"),
         "refused": str(sum(r["mirrored"] > r["agreement"] + MIRRORED_BY for r in own)),
         "warned of": str(int((_numbers(own, "agreement") < LEAST_AGREEMENT).sum()))}
        for (who,), own in sorted(_by(rows, "who").items())
    ]  # fmt: skip
    return [
        "## Is it one brain, the right way round?",
        "",
        "Agreement: soft Dice of the tissues after rigid registration by anatomy. *Mirrored*: the",
        "same once left and right of the moving scan are exchanged. A channel whose mirror image",
        f"agrees better by {MIRRORED_BY:g} is refused; below {LEAST_AGREEMENT:.2f} there is a",
        "warning. That bound lies (rounded) halfway between the most that two people of IXI agree",
        "and the least that one person does under changes of contrast (rows IXI):",
        f"{_halfway(rows)}. The other rows had no part in it. By how much the mirror image must",
        "agree better was set by hand.",
        "",
        markdown_table(table),
    ]


def _halfway(rows: Sequence[Row]) -> str:
    own = [r["agreement"] for r in rows if r["who"].startswith("IXI, changed")]
    other = [r["agreement"] for r in rows if r["who"] == "IXI, another person"]
    return f"{(min(own) + max(other)) / 2:.3f}" if own and other else "not measured"


SECTIONS: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "people": people, "contrasts": contrasts, "aligned": aligned, "elderly": elderly, "same": same,
}  # fmt: skip
