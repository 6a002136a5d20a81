"""Methods that rebuild a scan, trained on simulated brains in seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disanat.methods.ddpm import Diffusion
from disanat.methods.interface import Method
from disanat.methods.registry import get_method
from disanat.plans import Configuration, Plans, load_json
from disanat.training.loaders import Renderer, to_tensors

_STEPS = 80
_HELD_OUT = 6
_LONGER = {"ae": 350, "vae": 350, "ddpm": 250, "pddpm": 250, "cddpm": 250, "ccddpm": 250}
"""A code without a place needs more steps than a U-Net, and so does every strength of noise."""
_EARLIER = {"ddpm": (150,), "pddpm": (150,), "cddpm": (100, 150, 200), "ccddpm": (100, 150, 200)}
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


def _teach(method: Method, cases: Path, steps: int, folder: Path) -> None:
    """Train a method, and keep its weights and what it was worth before and after."""
    networks, ill = method.networks(), method.synthetic_lesions
    draw = (method.plans, method.configuration, 0)
    source = Renderer(cases, ("h0", "h1", "h2", "h3"), *draw, lesions=ill)
    other = Renderer(cases, ("h4",), *draw, deform=False, lesions=ill)
    held_out = [to_tensors(other.batch(n), torch.device("cpu")) for n in range(_HELD_OUT)]
    before = _worth(method, held_out)
    rate = torch.optim.AdamW(networks.parameters(), 2e-3)
    networks.train()
    for number in range(steps):
        losses = method.losses(to_tensors(source.batch(number), torch.device("cpu")))
        rate.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(networks.parameters(), 5.0)
        rate.step()
    networks.eval()
    after = _worth(method, held_out)
    torch.save(networks.state_dict(), folder / "weights.pt")
    (folder / "worth.json").write_text(json.dumps([before, after]))


def _worth(method: Method, batches: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Means over batches, for a few slices differ much from others."""
    with torch.inference_mode():
        each = [method.validate(batch) for batch in batches]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


@pytest.fixture(scope="session")
def lesson(
    planned_home: Path,
    mini_plans: Plans,
    mini_configuration: Configuration,
    once: Callable[[str, Callable[[Path], Any]], Path],
) -> Callable[[str], Lesson]:
    """Trains a method for some steps; each method once for all tests."""
    cases = planned_home / "preprocessed" / "Dataset005_Mini" / "2d"

    @cache
    def learned(name: str) -> Lesson:
        drawn = np.random.get_state()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            method = get_method(name)(mini_plans, mini_configuration)
            if name in _EARLIER:
                assert isinstance(method, Diffusion)
                method.rebuilt_from = _EARLIER[name]
            steps = _LONGER.get(name, _STEPS)
            folder = once(f"lesson_{name}", lambda made: _teach(method, cases, steps, made))
        np.random.set_state(drawn)
        method.networks().load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
        method.networks().eval()
        before, after = json.loads((folder / "worth.json").read_text())
        return Lesson(method, before, after)

    return learned
