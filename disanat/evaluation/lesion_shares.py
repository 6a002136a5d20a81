"""The share of lesions that is found, by size, by contrast, and by both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from disanat.evaluation.bootstrap import Estimate, estimate_share
from disanat.evaluation.evaluate import CaseResult
from disanat.evaluation.lesions import CONTRAST_BINS, SIZE_BINS, contrast_bin, size_bin

__all__ = [
    "LesionCell",
    "LesionShare",
    "shares_by_contrast",
    "shares_by_size",
    "size_and_contrast",
]


@dataclass(frozen=True)
class LesionShare:
    """Lesions of one size or contrast: how many, how many were found, and the share found."""

    name: str
    lesions: int
    found: int
    share: Estimate


@dataclass(frozen=True)
class LesionCell:
    """Lesions of one size and one contrast."""

    size: str
    contrast: str
    lesions: int
    found: int


def shares_by_size(
    cases: Sequence[CaseResult], who: Mapping[str, str]
) -> tuple[LesionShare, ...]:
    """Of each bin of sizes; empty without lesions.

    Args:
        cases: of an evaluation.
        who: the participant of each case; intervals are over participants.
    """

    def counted(result: CaseResult) -> Iterable[tuple[str, int, int]]:
        return ((r.size, r.lesions, r.found) for r in result.recall)

    return _shares(cases, who, [name for name, _, _ in SIZE_BINS], counted)


def shares_by_contrast(
    cases: Sequence[CaseResult], who: Mapping[str, str]
) -> tuple[LesionShare, ...]:
    """Of each bin of contrasts; empty where no lesion has a contrast. Otherwise like the above."""

    def counted(result: CaseResult) -> Iterable[tuple[str, int, int]]:
        known = [(one.contrast, one.found) for one in result.lesions]
        return ((contrast_bin(c), 1, int(found)) for c, found in known if c is not None)

    return _shares(cases, who, [name for name, _, _ in CONTRAST_BINS], counted)


def size_and_contrast(cases: Sequence[CaseResult]) -> tuple[LesionCell, ...]:
    """Of each pair of bins that has a lesion; empty where no lesion has a contrast."""
    hits: dict[tuple[str, str], list[bool]] = {}
    for result in cases:
        for one in result.lesions:
            if one.contrast is not None:
                key = (size_bin(one.volume_ml), contrast_bin(one.contrast))
                hits.setdefault(key, []).append(one.found)
    return tuple(
        LesionCell(size, contrast, len(hits[size, contrast]), sum(hits[size, contrast]))
        for size, _, _ in SIZE_BINS
        for contrast, _, _ in CONTRAST_BINS
        if (size, contrast) in hits
    )


def _shares(
    cases: Sequence[CaseResult],
    who: Mapping[str, str],
    names: Sequence[str],
    counted: Callable[[CaseResult], Iterable[tuple[str, int, int]]],
) -> tuple[LesionShare, ...]:
    lesions = {name: dict.fromkeys(who.values(), 0) for name in names}
    found = {name: dict.fromkeys(who.values(), 0) for name in names}
    for result in cases:
        for name, there, hit in counted(result):
            lesions[name][who[result.case]] += there
            found[name][who[result.case]] += hit
    if not any(sum(of.values()) for of in lesions.values()):
        return ()
    return tuple(
        LesionShare(
            name,
            sum(lesions[name].values()),
            sum(found[name].values()),
            estimate_share(list(found[name].values()), list(lesions[name].values())),
        )
        for name in names
    )
