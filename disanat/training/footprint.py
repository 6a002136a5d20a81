"""What one training step keeps in memory, measured with real tensors."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

from disanat.methods.interface import Method
from disanat.plans import Configuration

__all__ = ["random_batch", "saved_bytes"]


def random_batch(
    method: Method, configuration: Configuration, device: str = "cpu", seed: int = 0
) -> dict[str, Tensor]:
    """A batch of noise with the shapes and types of a training batch.

    On the device `meta` it has shapes and types alone.
    """
    if device == "meta":
        made = random_batch(method, replace(configuration, batch_size=2), seed=seed)
        size = configuration.batch_size
        return {
            k: torch.empty(size, *v.shape[1:], dtype=v.dtype, device=device)
            for k, v in made.items()
        }
    generator = torch.Generator().manual_seed(seed)
    batch, patch = configuration.batch_size, configuration.patch_size
    slices = 2 * configuration.context_slices + 1 if configuration.dimension == 2 else 1
    classes = len(method.scheme)
    labels = torch.randint(0, classes + 1, (batch, *patch), generator=generator)
    made = {
        "image": torch.randn(batch, slices, *patch, generator=generator),
        "labels": labels,
        "lesion": (torch.rand(batch, *patch, generator=generator) < 0.02).float(),
        "healthy": torch.randn(batch, 1, *patch, generator=generator),
        "theta": torch.randn(batch, classes, generator=generator),
    }
    return {name: tensor.to(device) for name, tensor in made.items()}


def saved_bytes(method: Method, batch: dict[str, Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass of one batch, weights left out.

    Each storage counts once. Nothing is kept while counting, so that plans far larger than the
    memory at hand can be measured; there is no backward pass.
    """
    weights = {p.untyped_storage()._cdata for p in method.networks().parameters()}
    seen: dict[int, StorageWeakRef] = {}
    total = 0

    def pack(tensor: Tensor) -> None:
        nonlocal total
        storage = tensor.untyped_storage()
        if storage._cdata in weights:
            return
        # The weak reference keeps the address from being given to another storage.
        reference = StorageWeakRef(storage)
        if reference.cdata not in seen:
            seen[reference.cdata] = reference
            total += storage.nbytes()

    def unpack(_: None) -> Tensor:
        raise RuntimeError("nothing was kept: there is no backward pass here")

    with saved_tensors_hooks(pack, unpack):
        method.losses(batch)
    return total
