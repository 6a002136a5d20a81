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

__all__ = ["ChannelScan", "Drawn", "Job", "draw", "sources_of"]

_MOST_LESIONS = 30


@dataclass(frozen=True)
class ChannelScan:
    """A channel that is shown, and its scan; without one `note` says why."""

    number: int
    scan: Path | None
    note: str = ""


@dataclass(frozen=True)
class Job:
    """What drawing one case needs; survives pickling."""

    case: str
    predictions: Path
    channels: tuple[Channel, ...]
    """All of the case."""
    shown: tuple[ChannelScan, ...]
    """Those that can be looked at; pictures are of the first."""
    truth: Path | None
    threshold: float
    lesions: tuple[FoundLesion, ...]


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
    return Drawn(job.case, tuple(columns(shown)), _viewer(shown, job), note=job.shown[0].note)


def sources_of(job: Job) -> Sources:
    """The files of a case; the PHI of another channel is taken where that of this one is absent."""
    folder, layout = job.predictions, layout_of(job.predictions)
    first, *others = job.shown

    def result(kind: str) -> Path:
        return folder / layout.path(job.case, kind)

    def phi(number: int) -> Path | None:
        path = folder / layout.channel_path(job.case, "phi", number, job.channels)
        return path if path.is_file() else None

    instead = [one.number for one in job.channels] if first.scan is None else []
    images = map(phi, [first.number, *instead])

    return Sources(
        anomaly=result("anomaly"),
        mask=result("mask"),
        brain=result("brainmask"),
        phi=next((path for path in images if path), None),
        scan=first.scan,
        truth=job.truth,
        further=tuple((one.scan, phi(one.number)) for one in others),
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
        "channels": _labels(job) if len(job.shown) > 1 else [],
        "lesions": _lesions(shown, job.lesions[:_MOST_LESIONS]),
    }


def _labels(job: Job) -> list[str]:
    """What the channels that are shown are called: `0: FLAIR`, or by their looks `0: t1`."""
    called = {one.number: one.name or one.contrast for one in job.channels}
    return [f"{one.number}: {called.get(one.number, '')}".rstrip(": ") for one in job.shown]


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
