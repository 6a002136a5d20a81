"""Networks over whole volumes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from disanat.networks.volume import FAST, THOROUGH, apply_to_volume
from disanat.plans import Configuration, NetworkPlan

NETWORK = NetworkPlan((4, 8), ((1, 1), (2, 2)), ((3, 3), (3, 3)))
FLAT = Configuration(
    "2d", 2, (2.0, 2.0, 2.0), "S", 1, (8, 8), 2, NETWORK, NETWORK, NETWORK, 8, 2.0, 1, 1, 1e-3, 0.1
)
SOLID = replace(FLAT, name="3d_fullres", dimension=3, context_slices=0, patch_size=(6, 6, 6))


def volume(channels: int = 1) -> torch.Tensor:
    return torch.randn(channels, 9, 11, 13, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("axis", ["S", "P", "L"])
def test_slices_see_their_neighbours(axis: str) -> None:
    plan = replace(FLAT, slice_axis=axis)
    given = volume()
    dim = "SPL".index(axis) + 1
    result = apply_to_volume(lambda b: b, given, plan, -4.0, mirror=False)
    assert result.shape == (3, 9, 11, 13)
    torch.testing.assert_close(result[1:2], given)
    n = given.shape[dim]
    torch.testing.assert_close(result[0:1].narrow(dim, 1, n - 1), given.narrow(dim, 0, n - 1))
    torch.testing.assert_close(result[2:3].narrow(dim, 0, n - 1), given.narrow(dim, 1, n - 1))
    assert bool((result[0:1].narrow(dim, 0, 1) == -4).all())
    assert bool((result[2:3].narrow(dim, n - 1, 1) == -4).all())


def test_batches_fit_the_networks_strides_and_fill_is_the_background() -> None:
    seen = []

    def network(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch)
        return batch[:, :1]

    apply_to_volume(network, volume(), FLAT, -4.0, mirror=False)
    assert {tuple(b.shape[1:]) for b in seen} == {(3, 12, 14)}
    assert bool((seen[0][:, :, 11:] == -4).all()) and bool((seen[0][..., 13:] == -4).all())


@pytest.mark.parametrize("patch", [(6, 6, 6), (9, 11, 13), (16, 16, 16), (4, 16, 8)])
def test_tiles_put_the_volume_together_again(patch: tuple[int, int, int]) -> None:
    given = volume(2)
    plan = replace(SOLID, patch_size=patch)
    shapes = set()

    def network(batch: torch.Tensor) -> torch.Tensor:
        shapes.add(tuple(batch.shape[2:]))
        return 2 * batch

    result = apply_to_volume(network, given, plan, 0.0, mirror=False)
    torch.testing.assert_close(result, 2 * given)
    assert shapes == {patch}


@pytest.mark.parametrize("plan", [FLAT, SOLID])
def test_mirroring_makes_the_result_symmetric(plan: Configuration) -> None:
    """A network that marks one side gives both sides half."""

    def network(batch: torch.Tensor) -> torch.Tensor:
        ramp = torch.arange(batch.shape[-1], dtype=torch.float32)
        return batch[:, :1] * 0 + ramp

    plan = replace(plan, patch_size=(9, 11, 13)) if plan.dimension == 3 else plan
    given = torch.zeros(1, 9, 11, 13)
    once = apply_to_volume(network, given, plan, 0.0, mirror=False)
    both = apply_to_volume(network, given, plan, 0.0, mirror=True)
    assert float(once[..., -1].mean()) == 12
    torch.testing.assert_close(both, torch.full_like(both, 6.0))


@pytest.mark.parametrize("plan", [FLAT, SOLID])
@pytest.mark.parametrize("mirror", [False, True])
def test_further_channels_stand_beside_the_volume_at_the_same_places(
    plan: Configuration, mirror: bool
) -> None:
    given, more = volume(), volume(2) + 3
    seen: list[int] = []

    def network(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch.shape[1])
        return batch[:, -2:]

    result = apply_to_volume(network, given, plan, -4.0, mirror=mirror, beside=more)
    torch.testing.assert_close(result, more)
    assert set(seen) == {(3 if plan.dimension == 2 else 1) + 2}


@pytest.mark.parametrize(("plan", "least"), [(FLAT, 2.0), (SOLID, 2.5)])
def test_fast_asks_the_network_half_as_often_or_less(plan: Configuration, least: float) -> None:
    """No mirroring; patches lie farther apart, and still cover everything."""
    asked = 0

    def network(batch: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        asked += len(batch)
        middle = batch.shape[1] // 2
        return 2 * batch[:, middle : middle + 1]

    given, counts = volume(), []
    for tiling in ({}, {"tiling": FAST}):
        asked = 0
        result = apply_to_volume(network, given, plan, 0.0, **tiling)
        torch.testing.assert_close(result, 2 * given)
        counts.append(asked)
    assert counts[0] >= least * counts[1]


@pytest.mark.parametrize("plan", [FLAT, SOLID])
def test_fast_calculates_in_the_short_format_that_the_device_has(
    plan: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emulated here where the processor lacks it; the result is float32 all the same."""
    kinds = set()
    weight = torch.full((1, 1), 1.001)

    def network(batch: torch.Tensor) -> torch.Tensor:
        middle = batch.shape[1] // 2
        output = functional.linear(batch[:, middle : middle + 1, ..., None], weight)[..., 0]
        kinds.add(output.dtype)
        return output

    given = volume()
    for native, tiling, kind in (
        ("bfloat16", FAST, torch.bfloat16),
        ("float32", FAST, torch.float32),
        ("bfloat16", THOROUGH, torch.float32),
    ):
        kinds.clear()
        monkeypatch.setattr("disanat.networks.volume.native_format", lambda _, n=native: n)
        result = apply_to_volume(network, given, plan, 0.0, tiling=tiling)
        assert kinds == {kind} and result.dtype == torch.float32
        rounding = 0.01 if kind == torch.bfloat16 else 1e-5
        torch.testing.assert_close(result, 1.001 * given, atol=1e-5, rtol=rounding)
