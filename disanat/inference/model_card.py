"""The card that goes along with a model that is given to others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from disanat.plans import from_dict
from disanat.scoring.calibration import Calibration

__all__ = ["CARD", "card_beside", "write_card"]

CARD = "README.md"
_OWN = (CARD, "card.md")
_TEXT = """\
# {method}, trained on {dataset}

**For research only. Not a medical device; not to be used for diagnosis or treatment.**

- Made by: {author}. Finished: {finished}.
- Method `{method}`, configuration `{configuration}`, with voxels of {spacing} mm.
- Learned from {cases} healthy scans of {dataset} ({channels}). No lesion mask had a part in it.
- {calibrated} healthy scans gave the reference, {judged} the threshold.
- Threshold {threshold} ({thresholds}). At it, {false_positives_ml:.2f} mL of false
  positives in the median healthy brain, and a mean Dice of {dice:.2f} on synthetic lesions. Real
  lesions can be very different.

Intended use: research on brain MRI like that of the training. What is unusual need not be ill, and
what is ill need not look unusual.

Licence: ask who made it. The licence of the scans may hold for the weights as well.

Take it with `disanat_import_model FILE.zip`.
"""


def card_beside(folder: Path) -> str | None:
    """The card that lies in a model's folder already."""
    found = next((folder / name for name in _OWN if (folder / name).is_file()), None)
    return None if found is None else found.read_text(encoding="utf-8", errors="replace")


def write_card(described: Mapping[str, Any], author: str) -> str:
    """A short card from what a model's description says.

    Args:
        described: the description, with numbers of cases in place of their names.
        author: who made the model.
    """
    plans, calibration, facts = (described[k] for k in ("plans", "calibration", "facts"))
    known = from_dict(calibration, Calibration)
    others = [f"{known.told_rules(n)} leaves {n} of healthy voxels" for n in known.fpr_thresholds]
    return _TEXT.format(
        method=described["method"],
        dataset=plans["dataset"],
        author=author,
        finished=str(described.get("finished", "unknown"))[:10],
        configuration=described["configuration"]["name"],
        spacing=" x ".join(f"{mm:g}" for mm in described["configuration"]["spacing"]),
        cases=facts.get("train_cases", "an unknown number of"),
        channels=", ".join(plans["channel_names"]),
        calibrated=facts.get("reference_cases", "An unknown number of"),
        judged=facts.get("threshold_cases", "an unknown number of"),
        threshold=known.told_rules(),
        thresholds="; ".join(others) or "the only one",
        false_positives_ml=calibration["false_positives_ml"],
        dice=calibration["dice"],
    )
