"""Which channels of the networks of `dal` belong to which tissue class."""

from __future__ import annotations

from collections.abc import Sequence

from disanat.networks.inherit import Channels

__all__ = ["class_channels"]

_FIRST = r"encoder\.stages\.0\.0\.convs\.0\.(conv|all_modules\.0)\.weight$"


def class_channels(classes: Sequence[str], slices: int) -> tuple[Channels, ...]:
    """All layers whose inputs or outputs are tissue classes, always in the same order.

    Args:
        classes: names, without background.
        slices: how many slices of the scan the networks see at once.
    """
    maps = ("background", *classes)
    scan = tuple(f"slice {i}" for i in range(slices))
    beside = tuple(f"{which} {name}" for which in ("seen", "healthy") for name in maps)
    return (
        Channels(r"^encoder\.decoder\.seg_layers\.", outputs=(*maps, "hint"), logits=True),
        Channels(r"^restorer\.body\.decoder\.seg_layers\.", outputs=maps, logits=True),
        Channels(r"^restorer\.body\.(decoder\.)?" + _FIRST, inputs=maps),
        Channels(r"^restorer\.direct\.", inputs=maps, outputs=maps),
        Channels(r"^decoder\.first\.", inputs=(*maps, "flat")),
        Channels(r"^decoder\.film\.0\.", inputs=tuple(classes), shared=False),
        Channels(r"^comparator\.(decoder\.)?" + _FIRST, inputs=(*scan, "painted", *beside)),
    )

