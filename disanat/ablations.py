"""Parts of methods and of data that a training can go without, to see what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal, get_args

from disanat.errors import PlanError

__all__ = [
    "ABLATIONS",
    "DATA_ONLY",
    "MEANINGS",
    "PREDICTION_ONLY",
    "Ablation",
    "ablations_of",
    "check_ablations",
    "folder_part",
    "is_ablated",
]

Ablation = Literal[
    "no_prior",
    "soft",
    "gumbel",
    "full_anatomy",
    "no_restoration",
    "no_anomaly_training",
    "no_imaging_code",
    "free_contrasts",
    "t1_only",
    "atlas_phi",
    "plain_residual",
    "no_intensity",
    "random_encoder",
]
"""What is taken away, or what is put in its place."""
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)
PREDICTION_ONLY: tuple[Ablation, ...] = ("atlas_phi", "plain_residual", "no_intensity")
"""Training is the same with these and without."""
DATA_ONLY: tuple[Ablation, ...] = ("free_contrasts", "t1_only")
"""They change what training sees, and so are for every method that is trained."""
_OF_OTHERS: dict[Ablation, str] = {"random_encoder": "ccddpm"}
"""Whose part it is, where it is not `dal`'s."""

MEANINGS: dict[Ablation, str] = {
    "no_prior": "label maps do not teach the anatomy; the restoration is taught what the encoder "
    "sees",
    "soft": "class probabilities in place of the one-hot",
    "gumbel": "in training, a one-hot drawn by Gumbel softmax",
    "full_anatomy": "the restoration network is given the whole anatomy, not its edges",
    "no_restoration": "no restoration network: the anatomy as seen is taken for the healthy one",
    "no_anomaly_training": "the restoration network learns from samples without a lesion alone",
    "no_imaging_code": "the decoder is given zeros in place of the medians of the classes",
    "free_contrasts": "random intensities in place of signal equations in training",
    "t1_only": "training sees the scans as they are: no rendered and no remapped contrasts",
    "atlas_phi": "at prediction, the PHI is the registered atlas, the score the residual alone",
    "plain_residual": "at prediction, the score is the smoothed absolute difference of scan and "
    "PHI alone",
    "no_intensity": "at prediction, the score is how little the restored anatomy agrees with the "
    "one seen",
    "random_encoder": "the encoder of scans stays as it was drawn at random",
}

_CONTRADICTIONS: tuple[frozenset[Ablation], ...] = (
    frozenset({"soft", "gumbel"}),
    frozenset({"no_restoration", "soft"}),
    frozenset({"no_restoration", "gumbel"}),
    frozenset({"no_restoration", "full_anatomy"}),
    frozenset({"no_restoration", "no_anomaly_training"}),
    frozenset({"free_contrasts", "t1_only"}),
    *(frozenset(pair) for pair in combinations(PREDICTION_ONLY, 2)),
)


def check_ablations(names: Sequence[str]) -> tuple[Ablation, ...]:
    """The names in their own order, each once.

    Raises:
        PlanError: there is no ablation of that name, or two of them contradict each other.
    """
    for name in names:
        if name not in ABLATIONS:
            raise PlanError(
                f"There is no ablation '{name}': give --ablate one or more of "
                f"{', '.join(ABLATIONS)}."
            )
    chosen = tuple(name for name in ABLATIONS if name in names)
    for pair in _CONTRADICTIONS:
        if pair <= set(chosen):
            first, second = (name for name in chosen if name in pair)
            raise PlanError(
                f"The ablations {first} and {second} contradict each other: give --ablate one of "
                "them."
            )
    return chosen


def ablations_of(method: str, trained: bool) -> tuple[Ablation, ...]:
    """What a method can go without; of data only if it is trained."""
    return tuple(
        name
        for name in ABLATIONS
        if (trained if name in DATA_ONLY else _OF_OTHERS.get(name, "dal") == method)
    )


def folder_part(ablations: Sequence[str]) -> str:
    """What a training's folder is called after its configuration, such as `no_prior+soft`."""
    return "+".join(ablations)


def is_ablated(folder_name: str) -> bool:
    """Whether a training's folder, such as `dal__2d__soft`, holds a method without some part."""
    last = folder_name.split("__")[-1]
    return all(name in ABLATIONS for name in last.split("+"))
