"""Several trainings of one method that give one opinion."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode

import numpy as np

from disanat.methods.interface import ChannelResult, Detector, PreparedChannel

__all__ = ["Ensemble"]


class Ensemble(Detector):
    """The mean of its members' scores and pseudo-healthy images, the majority of their labels.

    Args:
        members: detectors of one method with the same plan and configuration.
    """

    def __init__(self, members: Sequence[Detector]) -> None:
        super().__init__(members[0].plans, members[0].configuration)
        self.name, self.learned_scores = members[0].name, members[0].learned_scores
        self.members = tuple(members)
        self.alongside = all(member.alongside for member in members)

    def faster(self) -> Ensemble:
        return Ensemble([member.faster() for member in self.members])

    def anatomy(self, image: np.ndarray) -> np.ndarray | None:
        seen = [one for m in self.members if (one := m.anatomy(image)) is not None]
        return _mean(seen) if seen else None

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        opinions = [member.predict(channels) for member in self.members]
        return [_joined(of_channel) for of_channel in zip(*opinions, strict=True)]


def _joined(opinions: Sequence[ChannelResult]) -> ChannelResult:
    common = set.intersection(*(set(o.further) for o in opinions))
    return ChannelResult(
        score=_mean([o.score for o in opinions]),
        phi=_mean([o.phi for o in opinions]),
        contrast=mode(o.contrast for o in opinions),
        anatomy=_majority([o.anatomy for o in opinions if o.anatomy is not None]),
        edges=_majority([o.edges for o in opinions if o.edges is not None]),
        further={name: _mean([o.further[name] for o in opinions]) for name in sorted(common)},
        figures={
            name: float(np.mean([o.figures[name] for o in opinions]))
            for name in opinions[0].figures
        },
    )


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(np.mean(arrays, axis=0), np.float32)


def _majority(labels: Sequence[np.ndarray]) -> np.ndarray | None:
    """The label that most maps give to a voxel, the smallest of equals."""
    if not labels:
        return None
    best = np.zeros(labels[0].shape, labels[0].dtype)
    most = np.zeros(labels[0].shape, np.uint8)
    for number in np.unique(labels):
        votes = np.sum([m == number for m in labels], axis=0, dtype=np.uint8)
        best[votes > most] = number
        most = np.maximum(most, votes)
    return best
