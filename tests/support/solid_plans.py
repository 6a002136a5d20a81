"""A 2D configuration turned into a 3D one."""

from __future__ import annotations

from dataclasses import replace

from disanat.plans import Configuration, NetworkPlan


def in_3d(flat: Configuration) -> Configuration:
    """The same in all three directions, without neighbouring slices."""

    def deep(network: NetworkPlan) -> NetworkPlan:
        strides = tuple((stride[0],) * 3 for stride in network.strides)
        kernels = tuple((size[0],) * 3 for size in network.kernel_sizes)
        return replace(network, strides=strides, kernel_sizes=kernels)

    return replace(
        flat,
        dimension=3,
        context_slices=0,
        encoder=deep(flat.encoder),
        restorer=deep(flat.restorer),
        comparator=deep(flat.comparator),
    )
