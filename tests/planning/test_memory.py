"""The estimate's arithmetic agrees with the networks it speaks of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from disanat.methods.dal.method import DisentangledAnatomy
from disanat.networks.precision import native_format
from disanat.plans import CaseFingerprint, Fingerprint, NumberFormat, Plans
from disanat.tissues import NUMBERINGS
from disanat.training.footprint import random_batch, saved_bytes
from planning.memory import GB, default_memory, kept_bytes, parameters, training_operations
from planning.planner import plan

MAPPING = NUMBERINGS["dlmuse"]


def plans_for(
    device: Literal["cpu", "cuda"],
    memory_gb: float,
    dimension: int,
    mm: float,
    classes: int,
    number_format: NumberFormat = "float32",
) -> Plans:
    """A plan for brains of 140 x 184 x 144 mm."""
    s, p, l_ = (round(edge / mm) for edge in (140, 184, 144))
    case = CaseFingerprint(
        "c",
        (0,),
        (mm,) * 3,
        (s, p, l_),
        (s, p, l_),
        "LPS",
        False,
        (0.0,),
        1400.0,
        ((0.0,) * 5,),
        (1,),
        (0.1,),
        (0.1,),
        ((mm,) * 3,),
        mm,
        "0" * 64,
        "labels",
    )
    found = Fingerprint("D", ("T1",), (case,) * 50, (mm,) * 3, (s, p, l_), False, classes == 12)
    names = ("2d",) if dimension == 2 else ("3d_fullres",)
    return plan(
        found,
        MAPPING,
        device=device,
        memory_gb=memory_gb,
        number_format=number_format,
        configurations=names,
    )


@pytest.mark.parametrize("number_format", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("device", "memory_gb", "dimension", "mm", "classes"),
    [
        ("cpu", 2, 2, 2.0, 12),
        ("cpu", 16, 2, 1.0, 3),
        ("cuda", 2, 2, 4.0, 12),
        ("cuda", 4, 2, 2.0, 3),
        ("cpu", 4, 3, 4.0, 12),
        ("cuda", 2, 3, 6.0, 3),
    ],
)
def test_the_estimate_is_what_autograd_keeps(
    device: Any, memory_gb: float, dimension: int, mm: float, classes: int, number_format: Any
) -> None:
    plans = plans_for(device, memory_gb, dimension, mm, classes, number_format)
    made = replace(plans.configuration(), batch_size=2)
    if number_format == "bfloat16" and dimension == 3 and native_format("cpu") != "bfloat16":
        pytest.skip("this CPU has no instructions for bfloat16: a 3D network takes minutes")
    method = DisentangledAnatomy(plans, made)
    kept = saved_bytes(method, random_batch(method, made))
    planned = kept_bytes(made, classes, number_format)
    assert planned == pytest.approx(kept, rel=0.05)
    assert planned >= 0.99 * kept
    weights = sum(p.numel() for p in method.networks().parameters())
    assert parameters(made, classes) == weights


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_the_estimate_holds_for_other_norms(norm: Any, dimension: int) -> None:
    plans = plans_for("cuda", 8, dimension, 2.0, 12)
    made = replace(plans.configuration(), norm=norm)
    with torch.device("meta"):
        method = DisentangledAnatomy(plans, made)
    kept = saved_bytes(method, random_batch(method, made, "meta"))
    assert kept_bytes(made, 12, "float32") == pytest.approx(kept, rel=0.05)
    assert parameters(made, 12) == sum(p.numel() for p in method.networks().parameters())


@pytest.mark.parametrize("memory_gb", [8, 40])
@pytest.mark.parametrize("dimension", [2, 3])
def test_the_estimate_holds_for_plans_for_plans_larger_than_this_machine(
    memory_gb: float, dimension: int
) -> None:
    """Tensors without data have the sizes of real ones."""
    plans = plans_for("cuda", memory_gb, dimension, 1.0, 12)
    made = plans.configuration()
    with torch.device("meta"):
        method = DisentangledAnatomy(plans, made)
    kept = saved_bytes(method, random_batch(method, made, "meta"))
    assert kept_bytes(made, 12, "float32") == pytest.approx(kept, rel=0.05)


def test_tensors_without_data_count_like_real_ones() -> None:
    plans = plans_for("cpu", 3, 2, 4.0, 12)
    real = DisentangledAnatomy(plans, plans.configuration())
    with torch.device("meta"):
        empty = DisentangledAnatomy(plans, plans.configuration())
    batch = random_batch(real, plans.configuration())
    assert saved_bytes(real, batch) == saved_bytes(
        empty, random_batch(empty, plans.configuration(), "meta")
    )


@pytest.mark.parametrize("dimension", [2, 3])
def test_operations_are_those_that_torch_counts(dimension: int) -> None:
    plans = plans_for("cpu", 4, dimension, 4.0, 12)
    made = replace(plans.configuration(), batch_size=2, epochs=1, iterations_per_epoch=1)
    method = DisentangledAnatomy(plans, made)
    with FlopCounterMode(display=False) as counter:
        torch.stack(list(method.losses(random_batch(method, made)).values())).sum().backward()
    # The difference: first layers need no gradient for their input, and FiLM's own are tiny.
    assert training_operations(made, 12) == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_this_machine_has_memory() -> None:
    device, memory = default_memory()
    assert device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert 1 <= memory < 10_000 and memory == int(memory)


def test_a_container_limit_wins_over_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *a, **k: f"{1 * GB}\n")
    assert default_memory() == ("cpu", 1.0)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *a, **k: "max\n")
    assert default_memory()[1] >= 1.0
