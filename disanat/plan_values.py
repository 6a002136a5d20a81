"""JSON data into frozen dataclasses, as they are: nothing is guessed, rounded or filled in.

A file that somebody edited by hand may hold the text "8" for a number, 2.5 for a count, or a patch
of size -32; training would stop at it an hour later, or go on with something else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin

import cattrs
from cattrs.strategies import configure_union_passthrough

__all__ = ["check_values", "strict_converter"]

_ABOVE_ZERO = (
    "spacing median_spacing label_map_spacing resolution slice_thickness shape shape_after_crop "
    "median_shape patch_size batch_size features strides kernel_sizes convs_per_stage "
    "decoder_features epochs iterations_per_epoch learning_rate memory_gb"
)
_FROM_ZERO = (
    "context_slices edge_mm estimated_memory_gb noise bias blur_mm brain_volume_ml cases channels "
    "median_brain_volume_ml label_maps noise_median noise_90th bias_median bias_90th"
)
_LARGEST = 2**31 - 1


def strict_converter() -> cattrs.Converter:
    """Converts dataclasses to JSON data and back; each value must have its field's very type."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    configure_union_passthrough(str | int | float | bool | None, converter)
    for kind in (str, bool, int):
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook(float, _number)

    def structure_tuple(value: Any, kind: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{_short(value)} is not a list")
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            inner = (inner[0],) * len(value)
        if len(inner) != len(value):
            raise ValueError(f"{_short(value)} does not have {len(inner)} entries")
        return tuple(converter.structure(v, t) for v, t in zip(value, inner))

    def is_tuple(kind: Any) -> bool:
        origin: Any = get_origin(kind)
        return origin is tuple

    converter.register_structure_hook_func(is_tuple, structure_tuple)
    return converter


def _short(value: Any) -> str:
    return repr(value)[:40]


def _exactly(value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{_short(value)} is not {kind.__name__}")
    return value


def _number(value: Any, _kind: type[float]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{_short(value)} is not a number")
    return float(value)


def check_values(value: Any, name: str = "") -> None:
    """Refuse numbers that no plan and no fingerprint can have.

    Args:
        value: a dataclass, or what its fields hold.
        name: of the field.

    Raises:
        ValueError: a number is not finite, or outside what its field may hold; the message names
            the field.
    """
    if is_dataclass(value):
        for field in fields(value):
            check_values(getattr(value, field.name), field.name)
        _check_network(value)
        _check_plans(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            check_values(inner, "")
    elif isinstance(value, (tuple, list)):
        for inner in value:
            check_values(inner, name)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_number(value, name)


def _check_number(value: float, name: str) -> None:
    allowed = "a number of usual size"
    good = math.isfinite(value) if isinstance(value, float) else abs(value) <= _LARGEST
    if name in _ABOVE_ZERO.split():
        allowed, good = "above 0", good and value > 0
    elif name in _FROM_ZERO.split():
        allowed, good = "0 or more", good and value >= 0
    if not good:
        raise ValueError(f"{name or 'a number'} is {_short(value)}, but must be {allowed}")


def _check_network(value: Any) -> None:
    """A U-Net has one entry per stage in each of its lists."""
    names = ("features", "strides", "kernel_sizes")
    if all(hasattr(value, name) for name in names):
        lengths = {len(getattr(value, name)) for name in names}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("features, strides and kernel_sizes differ in length")


def _check_plans(value: Any) -> None:
    """A plan's configurations go by their own names, and the recommended one is there."""
    configurations = getattr(value, "configurations", None)
    if configurations is None:
        return
    if not value.channel_names or not value.classes:
        raise ValueError("channel_names and classes must name at least one each")
    if value.recommended not in configurations:
        raise ValueError(f"there is no configuration '{value.recommended}', which is recommended")
    for name, one in configurations.items():
        if one.name != name:
            raise ValueError(f"the configuration '{name}' is called '{one.name}'")
    for one in (*configurations.values(), *value.ladder):
        if len(one.patch_size) != one.dimension:
            raise ValueError(f"patch_size of {one.name} has {len(one.patch_size)} axes")
