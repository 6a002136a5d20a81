"""The page that `benchmarks/ablations.py` writes from the results there are."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ablation_measures import MEASURES
from ablation_train import FULL, Variant
from disanat.home import atomic_path
from disanat.reporting.markdown import markdown_table
from steps import machine

__all__ = ["write_page"]

Results = Mapping[str, Mapping[str, Any]]
"""By variant and by seed what was found."""

_REAL = "AP, real"
INTRO = """\
Every variant of the method is trained for the same minutes of one processor core (other
load does not count; the learning rate falls to 0 at the end), on the same cases, and shown the
same scans. What changes prediction alone takes the weights of the full method. Each variant chooses
the shares of its further scores on healthy scans with synthetic lesions; nothing else is
calibrated.
AP and best Dice are those of the raw score, by volume, and their mean is given; in parentheses the
mean difference to the full method of the same seed, volume by volume.

**What this cannot say.** {minutes:g} min are little: the planned training is far longer, and a part
that helps late may not show. Differences below the spread of seeds mean nothing. {seeds}"""
ONE_SEED = "There is one seed, so\nthat spread is not known."
SEVERAL = "There are {n}\nseeds; the range over those that a variant has is in brackets."


def _values(one: Mapping[str, Any], measure: str, contrast: str | None) -> dict[str, float]:
    """Values by volume; of one contrast of the real volumes, or of all volumes for None."""
    values = one["measures"].get(measure, {})
    return {
        name: value
        for name, value in values.items()
        if contrast is None or name.split()[1] == contrast
    }


def _difference(
    results: Mapping[str, Any], full: Mapping[str, Any], measure: str, contrast: str | None
) -> float | None:
    """Mean difference to the full method over the seeds and volumes that both have."""
    differences = []
    for seed in results.keys() & full.keys():
        ours, theirs = (_values(one[seed], measure, contrast) for one in (results, full))
        differences += [ours[name] - theirs[name] for name in ours.keys() & theirs.keys()]
    return float(np.mean(differences)) if differences else None


def _cell(name: str, results: Results, measure: str, contrast: str | None = None) -> str:
    found = [list(_values(one, measure, contrast).values()) for one in results[name].values()]
    means = [float(np.mean(values)) for values in found if values]
    if not means:
        return "n/a"
    cell = f"{np.mean(means):.3f}"
    if len(means) > 1:
        cell += f" [{min(means):.3f} to {max(means):.3f}]"
    difference = _difference(results[name], results.get(FULL, {}), measure, contrast)
    if name != FULL and difference is not None:
        cell += f" ({difference:+.3f})"
    return cell


def _over_seeds(results: Mapping[str, Any], key: str, digits: int) -> str:
    return " / ".join(f"{one[key]:.{digits}f}" for one in results.values())


def _row(name: str, results: Results) -> dict[str, str]:
    found = results[name]
    return {
        "variant": name,
        "steps": _over_seeds(found, "steps", 0),
        "min": _over_seeds(found, "minutes", 1),
        "parameters": f"{next(iter(found.values()))['parameters'] / 1e6:.2f} M",
        **{measure: _cell(name, results, measure) for measure in MEASURES},
    }


def _contrast_rows(names: Sequence[str], results: Results) -> list[dict[str, str]]:
    """AP on real lesions, a column a contrast; no rows without real volumes."""
    entries = [one for name in names for one in results[name].values()]
    contrasts = sorted({v.split()[1] for one in entries for v in one["measures"][_REAL]})
    if not contrasts:
        return []
    return [
        {"variant": name, **{c: _cell(name, results, _REAL, c) for c in contrasts}}
        for name in names
    ]


def _facts(
    header: Mapping[str, Any], results: Results, names: Sequence[str], missing: Sequence[str]
) -> list[str]:
    entries = [one for name in names for one in results[name].values()]
    commits = sorted({str(one["commit"]) for one in entries})
    volumes = sorted({v for one in entries for v in one["measures"][_REAL]})
    lines = [
        f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit of the results: "
        f"{', '.join(commits)}",
        f"- machine: {machine()}; one thread",
        f"- budget: {header['minutes']:g} min of training for each variant; steps and minutes as "
        "they came are in the table",
        f"- dataset {header['dataset']}, fold 0; shares chosen on "
        f"{', '.join(header['reference'])}; judged on {', '.join(header['judged'])} (T1 as it is, "
        "T2 and FLAIR rendered; every other synthetic lesion is a probe)",
        f"- real lesions: {len(volumes)} volumes, the first case of a set and contrast, each "
        f"contrast alone, brain masks as found: {'; '.join(volumes) or 'none'}",
    ]
    if missing:
        lines.append(f"- **not measured yet: {', '.join(missing)}**")
    return lines


def write_page(
    header: Mapping[str, Any], results: Results, variants: Sequence[Variant], target: Path
) -> str:
    """Write the page from what there is, and return it.

    Args:
        header: what all results have in common: minutes, dataset, seeds, reference, judged.
        results: by variant and seed.
        variants: all that there should be.
        target: the page.
    """
    names = [v.name for v in variants if results.get(v.name)]
    wanted = [str(seed) for seed in range(header["seeds"])]
    missing = [
        v.name if not results.get(v.name) else f"{v.name} (seed {', '.join(lacking)})"
        for v in variants
        if (lacking := [s for s in wanted if s not in results.get(v.name, {})])
    ]
    most = max(len(results[name]) for name in names)
    seeds = SEVERAL.format(n=most) if most > 1 else ONE_SEED
    rows = _contrast_rows(names, results)
    meanings = [{"variant": v.name, "what is changed": v.meaning} for v in variants]
    page = "\n".join(
        [
            "# Ablations",
            "",
            "Written by `benchmarks/ablations.py`; not edited by hand.",
            "",
            INTRO.format(minutes=header["minutes"], seeds=seeds),
            "",
            *_facts(header, results, names, missing),
            "",
            markdown_table([_row(name, results) for name in names]),
            "",
            *(["AP on real lesions by contrast:", "", markdown_table(rows), ""] if rows else []),
            "More on each in [documentation/ablations.md](../documentation/ablations.md).",
            "",
            markdown_table(meanings),
            "",
        ]
    )
    with atomic_path(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return page
