"""What a prepared case follows from: the same again need not be prepared again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from disanat.io.cases import Case
from disanat.io.content import image_digest
from disanat.plans import Configuration, Plans, to_dict
from disanat.preprocessing.extractor_file import shipped_digest

__all__ = ["case_made_from", "map_made_from"]

_VERSION = 1
"""To be raised whenever preprocessing makes something else of the same files."""


def case_made_from(
    case: Case,
    prior: Path | None,
    brain_mask: Path | None,
    plans: Plans,
    configuration: Configuration,
    tissues_from: str = "",
) -> str:
    """SHA-256 (hex) of all that the preprocessing of a healthy case depends on.

    Args:
        case: the scans.
        prior: their label map, if any.
        brain_mask: the user's own mask, if any.
        plans: of the dataset.
        configuration: what the case is prepared for.
        tissues_from: what names the tissues where no label map does.

    Raises:
        ImageError: a file cannot be read.
    """
    named = {"prior": prior, "brain mask": brain_mask}
    return _digest(
        {
            "channels": {channel: image_digest(path) for channel, path in case.channels.items()},
            "beside": {what: image_digest(path) for what, path in named.items() if path},
            "plan": {
                "prior": plans.prior,
                "classes": plans.classes,
                "label_mapping": plans.label_mapping,
                "brain_mask_tool": plans.brain_mask_tool,
                "preparation": to_dict(plans.preparation),
            },
            "spacing": configuration.spacing,
            "extractor": shipped_digest(),
            "tissues_from": tissues_from,
        }
    )


def map_made_from(
    path: Path,
    mapping: Mapping[str, Sequence[int]],
    classes: Sequence[str],
    spacing: Sequence[float],
) -> str:
    """SHA-256 (hex) of all that the preprocessing of a label map without a scan depends on.

    Raises:
        ImageError: the file cannot be read.
    """
    about = {"map": image_digest(path), "mapping": mapping, "classes": classes, "spacing": spacing}
    return _digest(about)


def _digest(about: Mapping[str, Any]) -> str:
    text = json.dumps({"version": _VERSION, **about}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
