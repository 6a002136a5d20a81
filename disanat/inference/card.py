"""The card that goes with a model: what it is, what it was made from, what it is good for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from disanat.errors import ModelError

__all__ = ["model_card", "version"]

_CARD = """\
# {method} on {dataset}

Written by disanat {version}. Made by: {author}. Date: {date}.

**For research only. Not a medical device; not to be used for diagnosis or treatment.**

| | |
|---|---|
| method | {method} |
| configuration | {configuration}, voxels of {spacing} mm |
| trained on | {cases} healthy cases of {dataset}, channels {channels} |
| tissue classes | {classes} |
| stored threshold | {threshold:.2f}: Dice {dice:.2f} on synthetic lesions, {ml:.2f} mL of false positives in a healthy brain (median) |
| training finished | {finished} |

No scan, no name of a case and no lesion mask is in the files. What such a model can give away of
its training all the same: `disanat_audit` tries to find out.

Use it: `disanat_import_model FILE`, then `disanat_predict -i folder -o folder -m FOLDER`.

Licence of the scans and of this model: to be filled in by who made it.
"""  # noqa: E501 (a row of a table is one line)


def model_card(described: Mapping[str, Any], author: str, date: str) -> str:
    """The card as Markdown.

    Args:
        described: content of the model's `model.json`, numbers of cases in place of their names.
        author: who made it.
        date: of the archive, in ISO format.

    Raises:
        ModelError: the description lacks something.
    """
    try:
        plans, calibration = described["plans"], described["calibration"]
        return _CARD.format(
            method=described["method"],
            dataset=plans["dataset"],
            version=version(),
            author=author,
            date=date,
            configuration=described["configuration"]["name"],
            spacing=" x ".join(f"{mm:g}" for mm in described["configuration"]["spacing"]),
            cases=described["facts"]["train_cases"],
            channels=", ".join(plans["channel_names"]),
            classes=", ".join(plans["classes"]),
            threshold=calibration["threshold"],
            dice=calibration["dice"],
            ml=calibration["false_positives_ml"],
            finished=described["finished"],
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise ModelError(
            f"The description of the model lacks {cause}: train the model again with disanat_train."
        ) from cause


def version() -> str:
    """Of this disanat."""
    return metadata.version("disanat")
