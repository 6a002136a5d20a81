"""A copy of a model with the calibration of a site, and a card that says where it comes from."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import disanat
from disanat.errors import ModelError
from disanat.experiments.site import Promise, SiteCalibration
from disanat.home import atomic_path, read_json, write_json
from disanat.inference.bundled import is_bundled
from disanat.inference.manifest import MANIFEST
from disanat.inference.model import DESCRIPTION, REMEDY, SHARED_WEIGHTS, WEIGHTS
from disanat.inference.model_card import CARD, card_beside
from disanat.reporting.markdown import markdown_table
from disanat.scoring.calibration import BEST

__all__ = ["check_place", "promise_rows", "write_copy"]

_CARD = """\
# {name}: {method} of {dataset}, calibrated for another site

**For research only. Not a medical device; not to be used for diagnosis or treatment.**

- Made with disanat {version} on {date} from {origin}, finished {finished}. Its networks were not
  trained again.
- Calibrated on {scans} healthy scans of the site ({contrasts}). How often the promises held there,
  with 95% intervals over scans; "after" is cross-validated:

{table}

- With the old calibration {rare} of {scans} healthy scans had a case p-value of 0.10 or less, and
  {flagged} were flagged as unlike the training.
- The mask's threshold is {threshold}: mean Dice {dice:.2f} on synthetic lesions in these scans.

What the site's scans are taken for healthy decides what is called rare: a scan with disease among
them hides such disease.
"""


def check_place(source: Path, target: Path, overwrite: bool) -> None:
    """Whether a copy can be made.

    Raises:
        ModelError: the target is there, or the source is an ensemble.
    """
    if (target / DESCRIPTION).exists() and not overwrite:
        raise ModelError(f"{target} is there already: give another --name, or --overwrite.")
    if read_json(source / DESCRIPTION, ModelError, REMEDY).get("members"):
        raise ModelError(f"{source} is an ensemble: name the folder of one of its folds with -m.")
    if source.resolve() == target.resolve():
        raise ModelError(f"{target} is the model itself: give another --name.")


def write_copy(source: Path, target: Path, name: str, found: SiteCalibration) -> None:
    """Write the calibrated copy of a model of one fold; its description comes last.

    No name of the site's scans is kept, only how many there were.

    Args:
        source: folder of the model.
        target: folder of the copy; what it holds of another copy is replaced.
        name: of the copy.
        found: the new calibration.
    """
    described = read_json(source / DESCRIPTION, ModelError, REMEDY)
    target.mkdir(parents=True, exist_ok=True)
    (target / DESCRIPTION).unlink(missing_ok=True)
    for part in (WEIGHTS, SHARED_WEIGHTS, MANIFEST):
        (target / part).unlink(missing_ok=True)
        if (source / part).exists() and part != MANIFEST:
            with atomic_path(target / part) as temporary:
                shutil.copyfile(source / part, temporary)
    with atomic_path(target / CARD) as temporary:
        temporary.write_text(_card(source, described, name, found), encoding="utf-8")
    facts = dict(described.get("facts", {})) | {
        "calibrated_from": {
            "finished": described.get("finished", ""),
            "threshold": described["calibration"]["threshold"],
            "peak": described["calibration"].get("peak"),
            "bundled": is_bundled(source),
        },
        "site": {
            "scans": found.scans,
            "contrasts": list(found.contrasts),
            "promises": [asdict(promise) for promise in found.promises],
            "rare_before": found.rare_before,
            "flagged_before": found.flagged_before,
        },
    }
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    changed = {"calibration": asdict(found.calibration), "finished": now, "facts": facts}
    write_json(described | changed, target / DESCRIPTION)


def promise_rows(found: SiteCalibration) -> list[dict[str, str]]:
    """A row for each threshold, as tables show it."""
    return [
        {
            "threshold": promise.threshold,
            "promised in healthy brains": _told(promise, promise.promised),
            "before": _estimated(promise, "before"),
            "after": _estimated(promise, "after"),
            "value before": promise.told_old,
            "value after": promise.told_new,
        }
        for promise in found.promises
    ]


def _told(promise: Promise, value: float) -> str:
    if promise.threshold == BEST:
        return f"at most {value:g} mL (median)"
    return f"{value:.0%} of voxels"


def _estimated(promise: Promise, which: str) -> str:
    found = getattr(promise, which)
    scale, unit, digits = (1, " mL", 2) if promise.threshold == BEST else (100, "%", 2)
    interval = (
        f" [{scale * found.low:.{digits}f}, {scale * found.high:.{digits}f}]"
        if found.low is not None
        else ""
    )
    return f"{scale * found.mean:.{digits}f}{unit}{interval}"


def _card(source: Path, described: dict[str, Any], name: str, found: SiteCalibration) -> str:
    origin = "the model that ships with disanat" if is_bundled(source) else "a model"
    text = _CARD.format(
        name=name,
        method=described["method"],
        dataset=described["plans"]["dataset"],
        version=disanat.__version__,
        date=f"{datetime.now(timezone.utc):%Y-%m-%d}",
        origin=origin,
        finished=str(described.get("finished", "unknown"))[:10],
        scans=found.scans,
        contrasts=", ".join(found.contrasts),
        table=markdown_table(promise_rows(found)),
        rare=found.rare_before,
        flagged=found.flagged_before,
        threshold=found.calibration.told_rules(kinds=found.contrasts),
        dice=found.calibration.dice,
    )
    before = card_beside(source)
    return f"{text}\n---\n\nThe card of the model before:\n\n{before}" if before else text
