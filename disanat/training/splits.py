"""Which healthy cases train, and which are set aside for reference and threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from disanat.errors import DatasetError

__all__ = ["FOLDS", "Split", "split_cases"]

FOLDS = 5
_FEWEST_ASIDE = 3


@dataclass(frozen=True)
class Split:
    """Names of cases; the three groups share none."""

    train: tuple[str, ...]
    reference: tuple[str, ...]
    threshold: tuple[str, ...]


def split_cases(cases: Sequence[str], fold: int | str, seed: int = 12345) -> Split:
    """Split for one of five folds, or for `all`.

    A fold's held-out cases are every fifth of a shuffled list, at least three; `all` sets the same
    share aside. Half of them (rounded up) give the healthy reference, the others the threshold.

    Raises:
        DatasetError: too few cases.
    """
    if len(cases) < _FEWEST_ASIDE + 1:
        raise DatasetError(
            f"{len(cases)} healthy cases are too few to train on and to set three aside: "
            "add healthy scans to imagesTr and preprocess again."
        )
    shuffled = [sorted(cases)[i] for i in np.random.default_rng(seed).permutation(len(cases))]
    first = 0 if fold == "all" else int(fold)
    chosen = list(range(first, len(cases), FOLDS))
    spare = [i for i in range(len(cases)) if i not in chosen]
    while len(chosen) < _FEWEST_ASIDE:
        chosen.append(spare.pop(0))
    aside = [shuffled[i] for i in chosen]
    half = (len(aside) + 1) // 2
    train = tuple(sorted(set(cases) - set(aside)))
    return Split(train, tuple(sorted(aside[:half])), tuple(sorted(aside[half:])))
