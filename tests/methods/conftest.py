"""Methods that rebuild a scan, trained on simulated brains in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from disanat.methods.ddpm import Diffusion
from disanat.methods.interface import Method
from disanat.methods.registry import get_method
from disanat.plans import Configuration, Plans, load_json
from disanat.training.loaders import batches, to_tensors

_STEPS = 80
_LONGER = {"ae": 250, "vae": 250, "ddpm": 250, "pddpm": 250, "cddpm": 250}
"""A code without a place needs more steps than a U-Net, and so does every strength of noise."""
_EARLIER = {"ddpm": (150,), "pddpm": (150,), "cddpm": (100, 150, 200)}
"""Time steps to rebuild from. At 4 mm a brain has no coarse structure that step 500 would leave."""


@dataclass(frozen=True)
class Lesson:
    """A method before and after its training, judged on a brain that it was not trained on."""

    method: Method
    before: dict[str, float]
    after: dict[str, float]


@pytest.fixture(scope="session")
def mini_plans(planned_home: Path) -> Plans:
    """The plan of the miniature dataset, its networks tiny, rendering the scans as they are."""
    plans = load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)
    return replace(plans, number_format="float32")


@pytest.fixture(scope="session")
def mini_configuration(mini_plans: Plans) -> Configuration:
    """Its 2D configuration, of one slice, for T1-like scans alone."""
    return replace(mini_plans.configuration("2d"), context_slices=0, ablations=("t1_only",))


@pytest.fixture(scope="session")
def lesson(
    planned_home: Path, mini_plans: Plans, mini_configuration: Configuration
) -> Iterator[Callable[..., Lesson]]:
    """Trains a method for some steps; each method once."""
    cases = planned_home / "preprocessed" / "Dataset005_Mini" / "2d"
    learned: dict[str, Lesson] = {}

    def teach(name: str) -> Lesson:
        if name not in learned:
            torch.manual_seed(0)
            method = get_method(name)(mini_plans, mini_configuration)
            if name in _EARLIER:
                assert isinstance(method, Diffusion)
                method.rebuilt_from = _EARLIER[name]
            networks = method.networks()
            ill = method.synthetic_lesions
            draw = (mini_plans, mini_configuration, 0, 0)
            source = batches(cases, ("h0", "h1", "h2", "h3"), *draw, lesions=ill)
            held_out = to_tensors(
                next(batches(cases, ("h4",), *draw, deform=False, lesions=ill)), torch.device("cpu")
            )
            with torch.inference_mode():
                before = method.validate(held_out)
            rate = torch.optim.AdamW(networks.parameters(), 2e-3)
            networks.train()
            for _ in range(_LONGER.get(name, _STEPS)):
                losses = method.losses(to_tensors(next(source), torch.device("cpu")))
                rate.zero_grad()
                torch.stack(list(losses.values())).sum().backward()
                torch.nn.utils.clip_grad_norm_(networks.parameters(), 5.0)
                rate.step()
            networks.eval()
            with torch.inference_mode():
                learned[name] = Lesson(method, before, method.validate(held_out))
        return learned[name]

    state = np.random.get_state()
    yield teach
    np.random.set_state(state)
