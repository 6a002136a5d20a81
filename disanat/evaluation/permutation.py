"""Do groups of patients differ? A permutation test for several groups, and Holm's correction."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

__all__ = ["FEWEST_IN_GROUP", "LEVEL", "GroupTest", "holm", "permutation_test"]

FEWEST_IN_GROUP = 2
"""Patients that a group must have to be in a test."""
LEVEL = 0.05
_PERMUTATIONS = 9999
_AT_ONCE = 2_000_000
"""Numbers that are shuffled at once."""


@dataclass(frozen=True)
class GroupTest:
    """What a permutation test says of one measure in the groups of one column."""

    p: float
    corrected_p: float
    """By Holm's method, for all columns that this measure was tested in."""
    smallest_p: float
    """The smallest corrected p that groups of these sizes, in so many columns, could give."""
    groups: int
    patients: int

    @property
    def verdict(self) -> str:
        """`differs`, `too few` where nothing could have been found, or `no difference found`."""
        if self.corrected_p < LEVEL:
            return "differs"
        return "too few" if self.smallest_p >= LEVEL else "no difference found"


def permutation_test(
    groups: Mapping[str, Sequence[float]], permutations: int = _PERMUTATIONS, seed: int = 0
) -> GroupTest | None:
    """Whether the values of groups could be one and the same, told by shuffling the patients.

    The statistic is that of Kruskal and Wallis: how far apart the groups' mean ranks are.

    Args:
        groups: values by group, one for each patient. Groups of fewer than `FEWEST_IN_GROUP` are
            left out.
        permutations: how often patients are shuffled.
        seed: of the shuffling; the same values always give the same p.

    Returns:
        None unless two groups are large enough. The corrected p is the p itself.

    Source: Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010
    (why 1 is added above and below).
    """
    tested = [np.asarray(v, float) for v in groups.values() if len(v) >= FEWEST_IN_GROUP]
    if len(tested) < 2:
        return None
    sizes = [values.size for values in tested]
    ranks = rankdata(np.concatenate(tested))
    ranks -= ranks.mean()
    member = np.repeat(np.eye(len(sizes)) / np.sqrt(sizes), sizes, axis=0)

    def statistic(shuffled: np.ndarray) -> np.ndarray:
        return ((shuffled @ member) ** 2).sum(axis=-1)

    rng, least = np.random.default_rng(seed), statistic(ranks) * (1 - 1e-9)
    chunk = max(1, _AT_ONCE // ranks.size)
    extreme = 0
    for begin in range(0, permutations, chunk):
        rows = min(chunk, permutations - begin)
        shuffled = rng.permuted(np.tile(ranks, (rows, 1)), axis=1)
        extreme += int(np.count_nonzero(statistic(shuffled) >= least))
    p = (1 + extreme) / (1 + permutations)
    smallest = max(_smallest_p(sizes), 1 / (1 + permutations))
    return GroupTest(p, p, smallest, len(sizes), int(ranks.size))


def _smallest_p(sizes: Sequence[int]) -> float:
    """Share of all ways to deal patients to groups that no way can beat.

    Groups of one size may change places: that gives the same statistic.
    """
    ways = math.lgamma(sum(sizes) + 1) - sum(math.lgamma(n + 1) for n in sizes)
    alike = sum(math.lgamma(n + 1) for n in Counter(sizes).values())
    return min(1.0, math.exp(alike - ways))


def holm(tests: Mapping[str, GroupTest]) -> dict[str, GroupTest]:
    """The tests with `corrected_p`: the chance of even one false alarm among all of them is kept.

    Source: Holm, Scandinavian Journal of Statistics 6:65, 1979.
    """
    corrected: dict[str, GroupTest] = {}
    highest = 0.0
    for place, name in enumerate(sorted(tests, key=lambda name: tests[name].p)):
        highest = max(highest, min(1.0, (len(tests) - place) * tests[name].p))
        smallest = min(1.0, len(tests) * tests[name].smallest_p)
        corrected[name] = replace(tests[name], corrected_p=highest, smallest_p=smallest)
    return {name: corrected[name] for name in tests}
