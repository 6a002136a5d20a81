"""One case drawn: its pictures, and what the slice viewer needs, as data for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disanat.errors import DisanatError
from disanat.inference.layout import Channel, layout_of
from disanat.inference.lesions import FoundLesion
from disanat.reporting.report.pictures import Column, columns, sprite_columns, sprites
from disanat.reporting.report.provenance import short_paths
from disanat.reporting.report.volumes import Shown, Sources, load

__all__ = ["Drawn", "Job", "draw", "sources_of"]

_MOST_LESIONS = 30


@dataclass(frozen=True)
class Job:
    """What drawing one case needs; survives pickling."""

    case: str
    predictions: Path
    channel: int
    """Number of the channel that is shown."""
    channels: tuple[Channel, ...]
    """All of the case, that one among them."""
    scan: Path | None
    truth: Path | None
    threshold: float
    lesions: tuple[FoundLesion, ...]
    note: str = ""
    """Why there is no scan."""


@dataclass(frozen=True)
class Drawn:
    """Pictures of a case, `viewer` as JSON data; without any where `trouble` says why."""

    case: str
    columns: tuple[Column, ...] = ()
    viewer: dict[str, Any] | None = None
    trouble: str = ""
    note: str = ""


def draw(job: Job) -> Drawn:
    """Read a case and draw it; a case whose files cannot be used is told, not raised."""
    try:
        shown = load(sources_of(job), job.threshold)
    except DisanatError as mistake:
        return Drawn(job.case, trouble=short_paths(str(mistake), (str(job.predictions),)))
    return Drawn(job.case, tuple(columns(shown)), _viewer(shown, job), note=job.note)


def sources_of(job: Job) -> Sources:
    """The files of a case; the PHI of another channel is taken where that of this one is absent."""
    folder, layout = job.predictions, layout_of(job.predictions)
    channels = [one.number for one in job.channels if one.number != job.channel]
    wanted = [job.channel, *(channels if job.scan is None else ())]
    images = [folder / layout.channel_path(job.case, "phi", c, job.channels) for c in wanted]

    def result(kind: str) -> Path:
        return folder / layout.path(job.case, kind)

    return Sources(
        anomaly=result("anomaly"),
        mask=result("mask"),
        brain=result("brainmask"),
        phi=next((path for path in images if path.is_file()), None),
        scan=job.scan,
        truth=job.truth,
    )


def _viewer(shown: Shown, job: Job) -> dict[str, Any]:
    """The sprites with all that is needed to read them; axes are numbered S, P, L."""
    s, p, left = shown.frame.shape
    return {
        "shape": [s, p, left],
        "across": sprite_columns(left, s, p),
        "focus": list(shown.focus),
        "toMm": shown.frame.to_mm(),
        "top": round(shown.top, 4),
        "sprites": sprites(shown),
        "lesions": _lesions(shown, job.lesions[:_MOST_LESIONS]),
    }


def _lesions(shown: Shown, lesions: Sequence[FoundLesion]) -> list[dict[str, Any]]:
    return [
        {
            "number": lesion.number,
            "ml": lesion.volume_ml,
            "region": lesion.region,
            "peak": lesion.peak,
            "mean": lesion.mean,
            "at": list(shown.frame.place(lesion.x_mm, lesion.y_mm, lesion.z_mm)),
        }
        for lesion in lesions
    ]
