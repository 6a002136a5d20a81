"""Which healthy cases train, and which are set aside for reference and threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError
from disanat.io.store import stored_cases, stored_label_maps

__all__ = ["FOLDS", "Split", "split_cases", "split_stored"]

FOLDS = 5
_FEWEST_ASIDE = 3


@dataclass(frozen=True)
class Split:
    """Names of cases; the four groups share none.

    `reference` and `threshold` are the same for every fold: no member of an ensemble has seen them,
    so that it can be calibrated as an ensemble. `validation` may be empty.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    reference: tuple[str, ...]
    threshold: tuple[str, ...]

    @property
    def watched(self) -> tuple[str, ...]:
        """Cases whose figures the training log shows: validation, or else the reference."""
        return self.validation or self.reference


def split_cases(cases: Sequence[str], fold: int | str, seed: int = 12345) -> Split:
    """Split for one of five folds, or for `all`.

    A fifth of the shuffled cases, at least three, is set aside for every fold alike: half of them
    (rounded up) give the healthy reference, the others the threshold. Of the rest a fold keeps
    every fifth case for validation, `all` none. With fewer than six cases in the rest a fold leaves
    out one case, so that some folds are the same; a single one is never left out.

    Raises:
        DatasetError: too few cases.
    """
    if len(cases) < _FEWEST_ASIDE + 1:
        raise DatasetError(
            f"{len(cases)} healthy cases are too few to train on and to set three aside: "
            "add healthy scans to imagesTr and preprocess again."
        )
    shuffled = [sorted(cases)[i] for i in np.random.default_rng(seed).permutation(len(cases))]
    aside = shuffled[: max(_FEWEST_ASIDE, len(cases) // FOLDS)]
    rest = shuffled[len(aside) :]
    held_out = [] if fold == "all" else _validation(rest, int(fold))
    half = (len(aside) + 1) // 2
    train = set(rest) - set(held_out)
    groups = (train, held_out, aside[:half], aside[half:])
    return Split(*(tuple(sorted(group)) for group in groups))


def _validation(rest: Sequence[str], fold: int) -> Sequence[str]:
    if len(rest) == 1:
        return []
    return rest[fold::FOLDS] if len(rest) > fold else [rest[fold % len(rest)]]


def split_stored(folder: Path, fold: int | str) -> Split:
    """The split of a configuration's preprocessed cases; label maps without a scan only train.

    Raises:
        DatasetError: the folder holds no case, or too few.
    """
    split = split_cases(stored_cases(folder), fold)
    return replace(split, train=(*split.train, *stored_label_maps(folder)))
