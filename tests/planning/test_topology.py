"""Depth and kernels."""

from __future__ import annotations

from planning.topology import network_plan, plan_topology


def test_isotropic_axes_are_halved_together() -> None:
    topology = plan_topology((97, 76), (2.0, 2.0), 5)
    assert topology.strides == ((1, 1), (2, 2), (2, 2), (2, 2))
    assert topology.patch_size == (104, 80) and topology.divisors == (8, 8)


def test_a_thick_axis_waits_and_keeps_flat_kernels() -> None:
    topology = plan_topology((24, 192, 160), (4.0, 1.0, 1.0), 6)
    assert topology.strides[:4] == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert topology.kernel_sizes[:3] == ((1, 3, 3), (1, 3, 3), (3, 3, 3))


def test_slices_always_have_square_kernels() -> None:
    assert set(plan_topology((96, 96), (1.0, 3.0), 5).kernel_sizes) == {(3, 3)}


def test_the_number_of_stages_is_limited() -> None:
    assert len(plan_topology((512, 512), (0.5, 0.5), 5).strides) == 5


def test_features_double_up_to_the_cap() -> None:
    network = network_plan(plan_topology((256, 256), (1.0, 1.0), 5), 16, 100)
    assert network.features == (16, 32, 64, 100, 100)
