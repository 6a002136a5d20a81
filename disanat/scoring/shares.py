"""How much of each further score is added to a method's first, chosen on synthetic lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from disanat.scoring.ranking import average_precision, rank

__all__ = ["choose_own_shares", "choose_shares"]

_SHARES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_FEWEST_JUDGES = 4
"""Volumes of a kind of contrast that may ask for a share of its own."""
_Case = tuple[np.ndarray, Mapping[str, np.ndarray], np.ndarray]
"""Of a volume the score, the further scores by name, and the truth, flat."""


def choose_shares(
    cases: Sequence[_Case],
    known: Sequence[bool] = (),
    learned: Sequence[str] = (),
) -> dict[str, float]:
    """How much of each further score to add for a good mean average precision.

    One score after the other takes one of a few shares while the others keep theirs, twice: the
    smallest that is no worse than the best by more than one standard error of their difference,
    volume by volume (the one-standard-error rule: Breiman et al., Classification and Regression
    Trees, 1984). Few volumes cannot say more.

    A score that was learned from synthetic lesions is judged by those of the other kind, any other
    score by the kind that training knows, which alone follows the physics of the contrast.

    Args:
        cases: of each volume with synthetic lesions the score, the further scores by name, and
            the truth, flat.
        known: of each volume whether its lesions are of the kind that training knows; where none
            is of the kind that should judge a score, all volumes do.
        learned: the further scores that were learned from synthetic lesions.

    Returns:
        For each name one of 0, 0.25, 0.5, 1, 2, 4, 8 and 16.
    """
    shares = {name: 0.0 for name in cases[0][1]} if cases else {}
    for name in [*shares, *shares]:
        judges = [cases[number] for number in _judges(len(cases), known, name not in learned)]
        reached = [_precisions(judges, shares | {name: share}) for share in _SHARES]
        best = max(reached, key=lambda values: float(values.mean()))
        good = [_no_worse(values, best) for values in reached]
        shares[name] = _SHARES[good.index(True)]
    return shares


def choose_own_shares(
    cases: Sequence[_Case],
    known: Sequence[bool],
    learned: Sequence[str],
    kinds: Sequence[str],
    common: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    """Shares of learned scores in single kinds of contrast, where the common ones are not enough.

    A kind keeps the common share unless its volumes do worse with it than with the best by more
    than one standard error of the difference; then it takes the share nearest to the common one
    that does not. So few volumes move it little. Scores that were not learned have no shares of
    their own: half of a kind's volumes judge them, too few to tell what finds lesions from what
    finds anything bright.

    Args:
        cases, known, learned: as of `choose_shares`.
        kinds: of each volume its kind of contrast.
        common: what `choose_shares` chose.

    Returns:
        By kind the shares that differ from the common ones, by name; kinds that keep all are left
        out, and so are those with fewer than four volumes that judge a score.
    """
    found: dict[str, dict[str, float]] = {}
    for kind in sorted(set(kinds)):
        own = dict(common)
        for name in (name for name in common if name in learned):
            judges = [
                cases[number]
                for number in _judges(len(cases), known, False)
                if kinds[number] == kind
            ]
            if len(judges) >= _FEWEST_JUDGES:
                own[name] = _nearest_good(judges, own, name)
        differing = {name: share for name, share in own.items() if share != common[name]}
        if differing:
            found[kind] = differing
    return found


def _nearest_good(cases: Sequence[_Case], shares: Mapping[str, float], name: str) -> float:
    reached = [_precisions(cases, {**shares, name: share}) for share in _SHARES]
    best = max(reached, key=lambda values: float(values.mean()))
    start = _SHARES.index(shares[name])
    good = [place for place, values in enumerate(reached) if _no_worse(values, best)]
    return _SHARES[min(good, key=lambda place: abs(place - start))]


def _judges(volumes: int, known: Sequence[bool], wanted: bool) -> list[int]:
    """Places of the volumes whose lesions are of the wanted kind; of all where none is."""
    return [number for number, kind in enumerate(known) if kind == wanted] or [*range(volumes)]


def _precisions(cases: Sequence[_Case], shares: Mapping[str, float]) -> np.ndarray:
    """Average precision of the joined score of each volume."""
    joined = (
        (truth, score + sum(shares[name] * further[name] for name in shares))
        for score, further, truth in cases
    )
    rankings = (rank(score, truth, np.ones_like(truth)) for truth, score in joined)
    return np.array([average_precision(ranking) or 0.0 for ranking in rankings])


def _no_worse(values: np.ndarray, best: np.ndarray) -> bool:
    """Whether the mean lies within one standard error of the paired difference to the best's."""
    loss = best - values
    error = float(loss.std(ddof=1)) / np.sqrt(loss.size) if loss.size > 1 else 0.0
    return float(loss.mean()) <= error
