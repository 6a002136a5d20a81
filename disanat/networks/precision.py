"""Which device networks run on, the number format that it calculates in, and how they use it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from disanat.plans import NumberFormat

__all__ = ["calculating", "default_device", "native_format"]


def default_device() -> str:
    """`cuda` where there is a GPU, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def native_format(device: str) -> NumberFormat:
    """`bfloat16` where the device has instructions for it, else `float32`.

    On a CPU these are AVX512_BF16; without them bfloat16 is emulated, and slower than float32.
    """
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"


def calculating(number_format: NumberFormat, device: torch.device) -> AbstractContextManager[None]:
    """Networks called inside calculate in this format; their weights stay in float32."""
    if number_format == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
