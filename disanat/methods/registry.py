"""Methods by name. A method of another package joins through the entry point `disanat.methods`."""

from __future__ import annotations

from importlib.metadata import entry_points

from disanat.errors import ModelError
from disanat.methods.ae import DenseAutoencoder
from disanat.methods.arepas import PatchSimilarity
from disanat.methods.ccddpm import ContrastivelyConditionedDiffusion
from disanat.methods.cddpm import ConditionedDiffusion
from disanat.methods.dae import DenoisingAutoencoder
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.ddpm import Diffusion
from disanat.methods.hf import PhaseRestoration
from disanat.methods.interface import Method
from disanat.methods.pddpm import PatchedDiffusion
from disanat.methods.threshold import IntensityThreshold
from disanat.methods.vae import VariationalAutoencoder

__all__ = ["get_method", "method_names", "untrained_methods"]

_OWN: dict[str, type[Method]] = {
    DisentangledAnatomy.name: DisentangledAnatomy,
    IntensityThreshold.name: IntensityThreshold,
    DenseAutoencoder.name: DenseAutoencoder,
    DenoisingAutoencoder.name: DenoisingAutoencoder,
    VariationalAutoencoder.name: VariationalAutoencoder,
    PhaseRestoration.name: PhaseRestoration,
    PatchSimilarity.name: PatchSimilarity,
    Diffusion.name: Diffusion,
    PatchedDiffusion.name: PatchedDiffusion,
    ConditionedDiffusion.name: ConditionedDiffusion,
    ContrastivelyConditionedDiffusion.name: ContrastivelyConditionedDiffusion,
}
_GROUP = "disanat.methods"


def method_names() -> tuple[str, ...]:
    """Names of all methods that can be trained here."""
    return (*_OWN, *sorted(e.name for e in entry_points(group=_GROUP) if e.name not in _OWN))


def untrained_methods() -> tuple[str, ...]:
    """Names of disanat's own methods that need no training: baselines."""
    return tuple(name for name, method in _OWN.items() if not method.trainable)


def get_method(name: str) -> type[Method]:
    """The method of that name.

    Raises:
        ModelError: there is none; the message lists those there are.
    """
    if name in _OWN:
        return _OWN[name]
    for entry in entry_points(group=_GROUP):
        if entry.name == name:
            found = entry.load()
            if isinstance(found, type) and issubclass(found, Method):
                return found
            raise ModelError(f"The entry point '{name}' is no disanat Method: mend that package.")
    raise ModelError(f"There is no method '{name}': use one of {', '.join(method_names())}.")
