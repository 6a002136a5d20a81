"""The card of the model that ships: every number is read from a file that a program wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError, ModelError
from disanat.home import atomic_path, read_json
from disanat.inference.model import (
    DESCRIPTION,
    REMEDY,
    SHARED_WEIGHTS,
    load_model,
    read_weights,
)
from disanat.methods.interface import Method
from disanat.plans import from_dict
from disanat.reporting.markdown import markdown_table
from disanat.scoring.calibration import Calibration
from disanat.tissues import scheme_by_names
from steps import ROOT

__all__ = ["CARD", "SCORES", "Scores", "read_scores", "write_card"]

CARD = "card.md"
SCORES = "benchmarks/real.md"
_LEADING = "../../../"
"""From the card to the repository's root."""
_HEAD = """\
# The model that ships with disanat

Written by `benchmarks/pretrained.py`; not edited by hand.

**For research only. Not a medical device; not to be used for diagnosis or treatment.**

`disanat_predict -i folder -o folder` takes this model while nothing has been trained, and says so;
`-m pretrained` takes it whatever was trained. `disanat_plan_and_preprocess` takes the tissues of
healthy scans that bring no label maps from its anatomy encoder.
"""
_DATA = """\
## Data and licences

- **Scans**: {cases} healthy T1 scans of IXI (Hammersmith Hospital, 3 T, ages 20 to 82) at 2 mm,
  skull on; [brain-development.org](https://brain-development.org/ixi-dataset), CC BY-SA 3.0.
- **Labels**: DLMUSE maps of 145 regions, an automatic segmentation. They come with these scans from
  the NiChart project of CBICA, University of Pennsylvania, where no other licence is stated for
  them. disanat joins the regions to {classes} tissues{apart}.
{maps}- No lesion mask, real or automatic, had a part in training, calibration or threshold.
  Synthetic lesions did.
- disanat's code is Apache-2.0. Whether weights inherit the licence of the scans is not settled: to
  be safe, name IXI and keep CC BY-SA 3.0 when you pass them on.
- No scan and no subject's identifier is in the files.
"""
_MAPS = """\
- **Label maps without scans**: {maps} of the 20 that SynthSeg distributes (Billot et al., Medical
  Image Analysis 86, 2023), Apache 2.0; white-matter lesions in them are turned into white matter.
"""
_LIMITS = """\
## Limits

- Research use only. What is unusual need not be ill, and what is ill need not look unusual.
- Adults only, from one scanner. Children, brains after surgery and brains with much atrophy are
  unlike what was learned.
- The anatomy is at {spacing} mm: finer scans are judged on their own grid, but with tissue borders
  from a coarser one. Small lesions are missed more often than large ones.
- Only T1 was scanned. Other contrasts were rendered by signal equations.
- The labels are automatic: what DLMUSE gets wrong was learned as the truth.
- The share of healthy voxels that the map speaks of was measured on scans of that one scanner at
  {spacing} mm, and on renderings of them. Elsewhere expect more false positives.
- Nothing is known about how scores differ by age, sex or scanner.
- Look at the pseudo-healthy image first. Where it is wrong, do not trust the map.
"""


@dataclass(frozen=True)
class Scores:
    """What the page of `make real` says: its table, the mean, and which model was measured."""

    table: tuple[str, ...]
    about: tuple[str, ...]
    finished: str | None
    """When the measured model was finished; None where the page does not say."""


def read_scores(page: str) -> Scores:
    """Read the page that `make real` wrote.

    Raises:
        DatasetError: its table is not where it should be.
    """
    lines = page.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("| set ")), None)
    if start is None:
        raise DatasetError(f"{SCORES} has no table of sets: run make real again.")
    stop = next(i for i in range(start, len(lines) + 1) if not "".join(lines[i : i + 1]))
    about = tuple(line for line in lines[:start] if line.startswith("- "))
    stamp = re.search(r"^- model: .*finished (\S+)$", page, re.M)
    return Scores(tuple(lines[start:stop]), about, stamp.group(1) if stamp else None)


def write_card(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the card of a shipped model beside it.

    Args:
        folder: of the model.
        record: step -> what `benchmarks/pretrained.py` noted of it; steps may lack.

    Raises:
        ModelError: the folder holds no finished model.
    """
    data = read_json(folder / DESCRIPTION, ModelError, REMEDY)
    spacing = " x ".join(f"{mm:g}" for mm in data["configuration"]["spacing"])
    page = (ROOT / SCORES).read_text(encoding="utf-8")
    parts = [
        _HEAD,
        "\n".join(["## What it is", "", *_facts(folder, data)]) + "\n",
        _data(data),
        "\n".join(["## How it was trained", "", *_training(data, record)]) + "\n",
        "\n".join(["## Scores", "", *_scores(data, read_scores(page))]) + "\n",
        "\n".join(["## Time", "", *_times(record)]) + "\n",
        _LIMITS.format(spacing=spacing),
        "\n".join(["## How to repeat it", "", *_recipe(data, record)]),
    ]
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _data(data: Mapping[str, Any]) -> str:
    maps = int(data["plans"].get("label_maps", 0))
    scheme = scheme_by_names(data["plans"]["classes"])
    whole = sum(not tissue.part_of for tissue in scheme)
    apart = " and sets partial volume apart" if whole < len(scheme) else ""
    said = _MAPS.format(maps=maps) if maps else ""
    return _DATA.format(cases=_cases(data["facts"]) - maps, classes=whole, apart=apart, maps=said)


def _cases(facts: Mapping[str, Any]) -> int:
    """All cases that had a part, in whatever way."""
    return sum(number for key, number in facts.items() if key.endswith("_cases"))


def _facts(folder: Path, data: Mapping[str, Any]) -> list[str]:
    plans, made = data["plans"], data["configuration"]
    method = load_model(folder).method
    networks = method.networks() if isinstance(method, Method) else {}
    sizes = ", ".join(
        f"{name} {sum(p.numel() for p in network.parameters()) / 1e6:.2f} M"
        for name, network in networks.items()
    )
    stored = next(iter(read_weights(folder).values())).dtype
    megabytes = sum((folder / name).stat().st_size for name in (DESCRIPTION, SHARED_WEIGHTS)) / 1e6
    spacing = " x ".join(f"{mm:g}" for mm in made["spacing"])
    return [
        f"- Method `{data['method']}` ([how it works]({_LEADING}documentation/method.md)), "
        f"configuration `{made['name']}`, finished {data['finished'][:10]}.",
        f"- Anatomy at {spacing} mm: {', '.join(plans['classes'])}.",
        f"- Weights: {sizes} parameters, stored as {str(stored).removeprefix('torch.')}; "
        f"{megabytes:.1f} MB in all.",
    ]


def _training(data: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    plans, made, facts = data["plans"], data["configuration"], data["facts"]
    steps = facts["epochs"] * made["iterations_per_epoch"]
    where = facts.get("device") or record.get("train", {}).get("machine")
    lines = [
        f"- By `disanat_plan_and_preprocess` (planned for {plans['device']}, "
        f"{plans['memory_gb']:g} GB) and `disanat_train -f {facts['fold']}`, seed {facts['seed']}, "
        f"torch {facts['torch']}.",
        f"- {facts['epochs']} epochs of {made['iterations_per_epoch']} iterations with a batch of "
        f"{made['batch_size']}: {steps * made['batch_size']:,} samples, {facts['minutes']:g} min "
        "with calibration.",
        f"- Machine: {where or 'not recorded with this model'}.",
        f"- {facts['train_cases']} cases trained it, {facts['validation_cases']} validated, "
        f"{facts['reference_cases']} gave the healthy reference, {facts['threshold_cases']} the "
        "threshold; no case did two of these.",
    ]
    if "started_from" in facts:
        lines.append(f"- Its weights started from those of a model: {facts['started_from']}.")
    if plans["overridden"]:
        lines.append(f"- Set by hand in the plan: {', '.join(plans['overridden'])}.")
    return lines


def _scores(data: Mapping[str, Any], scores: Scores) -> list[str]:
    calibration = data["calibration"]
    if scores.finished == data["finished"]:
        which = "of this very model"
    else:
        other = f"finished {scores.finished}" if scores.finished else "the page does not say which"
        which = f"of **another** training of the same method ({other}), not of this model"
    return [
        "On healthy scans that were set aside, from `model.json`: threshold "
        f"{from_dict(calibration, Calibration).told_rules()} (what a lesion reaches everywhere and "
        f"somewhere); with them {calibration['false_positives_ml']:.2f} mL of "
        "false positives in the median healthy brain, and a mean Dice of "
        f"{calibration['dice']:.2f} on synthetic lesions.",
        "",
        f"On real lesions, {which}, from [{SCORES}]({_LEADING}{SCORES}), where the measures are "
        "explained:",
        "",
        *scores.about,
        "",
        *scores.table,
    ]


def _times(record: Mapping[str, Any]) -> list[str]:
    if "time" not in record:
        return ["Not measured."]
    noted = record["time"]
    rows: Sequence[Mapping[str, Any]] = noted["result"]
    table = [
        {
            "scan": row["kind"],
            "from": row["set"],
            "brain": f"{row['brain_ml']:.0f} mL",
            "whole command": f"{row['command_s']:.1f} s",
            "of it the case": f"{row['case_s']:.1f} s",
        }
        for row in rows
    ]
    return [
        "`disanat_predict -m pretrained` on one scan, loading included, without a GPU",
        f"({noted['machine']}; {noted['date']}, commit {noted['commit']}):",
        "",
        markdown_table(table),
    ]


def _recipe(data: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    facts, planned = data["facts"], data["configuration"]["epochs"]
    flags = [f"--fold {facts['fold']}"]
    flags += [f"--epochs {facts['epochs']}"] if facts["epochs"] != planned else []
    flags += ["--pretrained_weights MODEL"] if "started_from" in facts else []
    flags += [f"--{one}" for one in data["plans"]["overridden"] if one.startswith("gpu_memory_gb")]
    lines = [
        "```",
        f"DISANAT_TEST_DATA=folder_of_real_scans python benchmarks/pretrained.py {' '.join(flags)}",
        "```",
        "",
        "It converts `ixi_t1_2mm` and `synthseg_label_maps`, plans, trains, copies the model, "
        "times it and writes this card. "
        f"The scores on real lesions are read from {SCORES}: "
        "`python benchmarks/real.py --from predict --model pretrained` measures this model, and "
        "`python benchmarks/pretrained.py --from card` then writes this card anew.",
    ]
    if "started_from" in facts:
        lines.append(
            "MODEL is the folder of the model it started from, which may have started from another "
            "in its turn: documentation/method.md says how this one came about."
        )
    if "train" not in record:
        lines.append(
            "For this card a model that had been trained before was taken (`--model`): commits "
            f"after its training changed how a model is trained; see {SCORES} for when it was."
        )
    return lines
