"""The slice viewer brainsprite, as nilearn ships it for its own `view_img`."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

__all__ = ["brainsprite_source"]

log = logging.getLogger(__name__)

_FILE = "brainsprite.min.js"
_USUAL = Path("_assets") / "js" / _FILE


def brainsprite_source() -> str:
    """The viewer's JavaScript; empty, with a warning, where nilearn no longer ships it."""
    found = find_spec("nilearn")
    for place in (found.submodule_search_locations or ()) if found else ():
        usual = Path(place) / _USUAL
        for file in [usual] if usual.is_file() else Path(place).rglob(_FILE):
            return file.read_text(encoding="utf-8")
    log.warning(
        "nilearn ships no %s: the report has no slice viewer. Install nilearn 0.14 or newer.", _FILE
    )
    return ""
