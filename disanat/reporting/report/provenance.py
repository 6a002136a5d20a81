"""Where a report and its predictions come from, as pairs of name and value.

Of paths only the last part is told: the folders above it are nobody's business but the owner's.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from disanat.inference.made_by import command_line, commit, versions
from disanat.reporting.report.collect import Folder
from disanat.reporting.report.model_facts import ModelFacts

__all__ = ["provenance", "short_command", "short_paths"]

_BEFORE = "\N{HORIZONTAL ELLIPSIS}/"


def short_paths(text: str, known: Iterable[str] = ()) -> str:
    """A text with each path in it cut down to its last part.

    Args:
        text: such as the message of a case that failed.
        known: folders that may stand in it, whatever characters they have.
    """
    for folder in known:
        if folder.strip(os.sep):
            text = text.replace(folder.rstrip(os.sep) + os.sep, _BEFORE)
    return " ".join(_short(word) for word in text.split(" "))


def short_command(line: str) -> str:
    """A command line with each path in it cut down to its last part."""
    try:
        words = shlex.split(line)
    except ValueError:
        return short_paths(line)
    return " ".join(_short(word) if os.sep in word else shlex.quote(word) for word in words)


def _short(word: str) -> str:
    if os.sep not in word.strip(os.sep):
        return word
    return _BEFORE + word.rstrip(os.sep).rpartition(os.sep)[2]


def provenance(folder: Folder, model: ModelFacts) -> list[tuple[str, str]]:
    """What made the predictions, then what made the report."""
    return [(name, value) for name, value in _pairs(folder, model) if value]


def _pairs(folder: Folder, model: ModelFacts) -> Iterator[tuple[str, str]]:
    facts = folder.facts
    shipped = " (ships with disanat)" if facts.get("bundled") is True else ""
    yield "model", folder.text("method") + shipped
    yield "configuration", folder.text("configuration")
    yield "trained on", folder.text("dataset")
    yield "model finished", folder.text("finished")
    if model.training:
        yield "training", ", ".join(f"{name} {value}" for name, value in model.training.items())
    if folder.threshold:
        choice = folder.text("threshold_choice")
        yield "threshold of the masks", _rules(folder) + (f" ({choice})" if choice else "")
    yield "brain in whole heads by", folder.text("brain_mask_tool")
    yield "predicted by", short_command(folder.text("command"))
    yield "predicted with", _versions(facts.get("versions"))
    yield "commit of the prediction", folder.text("commit")
    yield "report by", short_command(command_line())
    yield "report with", _versions(versions())
    yield "commit of the report", commit()
    yield "written", datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _rules(folder: Folder) -> str:
    """What decides on the masks, of single kinds of contrast too."""
    own = folder.facts.get("own_thresholds")
    told = [_rule(folder.facts)]
    for kind, rule in own.items() if isinstance(own, Mapping) else ():
        if isinstance(rule, Mapping):
            told.append(f"in {kind}-like scans {_rule(rule)}")
    return "; ".join(told)


def _rule(known: Mapping[str, Any]) -> str:
    threshold, peak = known.get("threshold"), known.get("peak_threshold")
    told = f"{threshold:g}" if isinstance(threshold, int | float) else "unknown"
    return told + (f", {peak:g} somewhere in each lesion" if isinstance(peak, int | float) else "")


def _versions(found: object) -> str:
    if not isinstance(found, Mapping):
        return ""
    return ", ".join(f"{name} {value}" for name, value in found.items())
