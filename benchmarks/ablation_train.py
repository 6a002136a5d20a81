"""The variants that are compared, and their trainings of equal length."""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from disanat.ablations import MEANINGS, PREDICTION_ONLY, ablations_of
from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.store import stored_cases
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.interface import Batch
from disanat.networks.precision import native_format
from disanat.networks.weights import load_state, save_state
from disanat.plans import Configuration, Plans, load_json, to_dict
from disanat.training.loop import train_networks
from disanat.training.settings import TrainingSettings
from disanat.training.splits import Split, split_stored
from disanat.training.train import PLANS, cases_folder

__all__ = ["FULL", "Trained", "Variant", "common_split", "trained", "variants"]

log = logging.getLogger(__name__)

FULL = "full"
_NO_NEIGHBOURS = "no_neighbours"
_3D = "3d_fullres"
_FOLD = "0"
_DEVICE = "cpu"
_TRIAL_STEPS = {2: 20, 3: 5}
"""By dimension: how many steps say how long one takes."""


@dataclass(frozen=True)
class Variant:
    """The method without some part, or in another dimension, and what it is trained on."""

    name: str
    meaning: str
    plans: Plans
    configuration: Configuration
    cases: Path

    @property
    def trains_as(self) -> str:
        """Name of the variant whose weights it takes."""
        only_predicts = set(self.configuration.ablations) & set(PREDICTION_ONLY)
        return FULL if only_predicts else self.name


@dataclass(frozen=True)
class Trained:
    """A variant's method with trained networks, and what the training took."""

    method: DisentangledAnatomy
    steps: int
    minutes: float


class _Timed(DisentangledAnatomy):
    """Notes the processor's time at which each step begins: other load does not count."""

    def __init__(self, plans: Plans, configuration: Configuration) -> None:
        super().__init__(plans, configuration)
        self.began: list[float] = []

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        self.began.append(time.process_time())
        return super().losses(batch)

    def seconds_per_step(self) -> float:
        """From the first step to the last; the loop's try before them does not count."""
        steps = self.began[1:]
        return (steps[-1] - steps[0]) / (len(steps) - 1)


def variants(home: Home, dataset: str) -> list[Variant]:
    """The full method, then every ablation, then the other dimensions.

    Raises:
        DisanatError: there is no 2d plan.
    """
    plans = _fitting(load_json(home.plans_folder(dataset) / PLANS, Plans))
    flat = plans.configuration("2d")
    cases = cases_folder(home, plans, flat)
    single = replace(flat, context_slices=0)
    made = [
        Variant(FULL, "2d with neighbouring slices, nothing left out", plans, flat, cases),
        *(
            Variant(name, MEANINGS[name], plans, replace(flat, ablations=(name,)), cases)
            for name in ablations_of("dal", trained=True)
        ),
        Variant(_NO_NEIGHBOURS, "2d without neighbouring slices", plans, single, cases),
    ]
    found = next(_plans_in_3d(home, dataset, plans), None)
    if found is not None:
        deep = found.configurations[_3D]
        cases = cases_folder(home, found, deep)
        made.append(Variant(_3D, "3d patches in place of slices", found, deep, cases))
    return made


def _plans_in_3d(home: Home, dataset: str, flat: Plans) -> Iterator[Plans]:
    """The dataset's plans with the same tissue classes and a 3D configuration with its cases."""
    folder = home.plans_folder(dataset)
    for source in (folder / PLANS, *sorted(folder.glob(f"plans_*/{PLANS}"))):
        plans = _fitting(load_json(source, Plans))
        deep = plans.configurations.get(_3D)
        if deep is None or not cases_folder(home, plans, deep).is_dir():
            continue
        if plans.classes == flat.classes:
            yield plans
        else:
            log.warning("%s is left out: its tissue classes are others than in 2d.", source)


def _fitting(plans: Plans) -> Plans:
    """The plan, with float32 where this machine's processor has no bfloat16."""
    if native_format(_DEVICE) == "bfloat16":
        return plans
    return replace(plans, number_format="float32")


def common_split(chosen: list[Variant]) -> Split:
    """The split of the full method's cases, which every variant has to have.

    Raises:
        DatasetError: one lacks some.
    """
    names = stored_cases(chosen[0].cases)
    split = split_stored(chosen[0].cases, _FOLD)
    for variant in chosen:
        lacking = sorted(set(names) - set(stored_cases(variant.cases)))
        if lacking:
            raise DatasetError(
                f"{variant.cases} lacks {', '.join(lacking)}: preprocess its plan again."
            )
    return split


def trained(variant: Variant, split: Split, seed: int, minutes: float, target: Path) -> Trained:
    """The variant with the weights in `target`, trained first where there are none that fit.

    Args:
        variant: what to train.
        split: of the cases.
        seed: of weights and batches.
        minutes: of training, the processor time of its steps.
        target: where the weights are kept.
    """
    facts = load_state(target, torch.device(_DEVICE)) if target.exists() else {}
    order = _order(variant, split, seed, minutes)
    if facts.get("order") != order:
        facts = {"order": order, **_train(variant, split, seed, minutes)}
        save_state(facts, target)
    method = DisentangledAnatomy(variant.plans, variant.configuration)
    method.networks().load_state_dict(facts["weights"])
    method.networks().eval()
    return Trained(method, facts["steps"], facts["minutes"])


def _order(variant: Variant, split: Split, seed: int, minutes: float) -> str:
    """All that decides what a training becomes, as text to compare."""
    plans, configuration = variant.plans, to_dict(variant.configuration)
    decided = (configuration, plans.classes, plans.number_format, split.train, seed, minutes)
    return json.dumps(decided)


def _train(variant: Variant, split: Split, seed: int, minutes: float) -> dict[str, object]:
    trial, _ = _run(variant, split, seed, _TRIAL_STEPS[variant.configuration.dimension])
    steps = max(2, round(60 * minutes / trial.seconds_per_step()))
    method, weights = _run(variant, split, seed, steps)
    spent = steps * method.seconds_per_step() / 60
    return {"weights": weights, "steps": steps, "minutes": spent}


def _run(
    variant: Variant, split: Split, seed: int, steps: int
) -> tuple[_Timed, dict[str, Tensor]]:
    """Train so many steps from the beginning; the learning rate falls to 0 over them."""
    configuration = replace(variant.configuration, epochs=1, iterations_per_epoch=steps)
    torch.manual_seed(seed)
    method = _Timed(variant.plans, configuration)
    settings = TrainingSettings(device=_DEVICE, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        weights = train_networks(
            method, variant.plans, configuration, variant.cases, split, Path(folder), settings
        )
    return method, weights
