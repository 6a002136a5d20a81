"""What a model says of a site's healthy scans, as they are and with a synthetic lesion in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from disanat.inference.model import Model
from disanat.inference.preparation import PreparedCase, prepare_found
from disanat.io.cases import Case
from disanat.io.images import Scan
from disanat.methods.interface import ChannelResult
from disanat.preprocessing.brain_search import find_brain
from disanat.preprocessing.healthy import read_case
from disanat.scoring.calibration import Calibration, in_own_units
from disanat.synthesis.probes import draw_probe
from disanat.tissues import class_kinds

__all__ = ["Seen", "SiteScan", "look_at"]

_LEAST_ML = 0.5
"""Smaller lesions than this say chance, not which threshold is better."""
_TRIES = 50


@dataclass(frozen=True)
class Seen:
    """A model's scores of one case: of each channel its kind of contrast and its own units.

    `scores` holds flat arrays of the brain's voxels, the same voxels for all channels.
    """

    contrasts: tuple[str, ...]
    scores: tuple[np.ndarray, ...]

    def rarity(self, calibration: Calibration) -> np.ndarray:
        """What a calibration makes of it: the anomaly map in the brain, flat, channels fused."""
        maps = [calibration.rarity(s, c) for s, c in zip(self.scores, self.contrasts)]
        return np.asarray(np.mean(maps, axis=0), np.float32)


@dataclass(frozen=True)
class SiteScan:
    """A healthy case: as it is, with synthetic lesions, and what tells it from other scans."""

    case: str
    healthy: Seen
    lesions: tuple[tuple[Seen, np.ndarray], ...]
    """What was seen of each version with a lesion, and the lesion's voxels in the brain, flat."""
    figures: tuple[Mapping[str, float], ...]
    voxel_ml: float
    inside: np.ndarray
    """The brain, bool, (S, P, L) within its box."""

    def volume(self, flat: np.ndarray) -> np.ndarray:
        """What the brain's voxels hold, (S, P, L), 0 (False) outside."""
        whole = np.zeros(self.inside.shape, flat.dtype)
        whole[self.inside] = flat
        return whole


def look_at(
    case: Case, model: Model, lesions: int, rng: np.random.Generator, brain_mask: Path | None = None
) -> SiteScan:
    """Predict a healthy case without and with synthetic lesions, through the whole pipeline.

    Args:
        case: its scans.
        model: as loaded.
        lesions: how many versions with a lesion to make of it. They are probes, which no network
            was trained on, in the same place in every channel.
        rng: source of randomness.
        brain_mask: the user's own mask.

    Raises:
        DisanatError: the case cannot be used; the message names the file.
    """
    scans, plans = read_case(case), model.plans
    found = find_brain(scans, plans.brain_mask_tool, brain_mask)
    target, steps = model.configuration.spacing, plans.preparation

    def predicted(shown: Mapping[int, Scan]) -> tuple[PreparedCase, list[ChannelResult]]:
        prepared = prepare_found(shown, found, target, steps)
        return prepared, model.method.predict(list(prepared.channels.values()))

    prepared, results = predicted(scans)
    inside = prepared.brain[prepared.box]
    ill = []
    for _ in range(lesions):
        changed, mask = _with_lesion(rng, scans, prepared, results[0].anatomy, model)
        _, again = predicted(changed)
        ill.append((_seen(again, inside, model), mask[inside]))
    return SiteScan(
        case=case.name,
        healthy=_seen(results, inside, model),
        lesions=tuple(ill),
        figures=tuple(result.figures for result in results),
        voxel_ml=float(np.prod(prepared.spacing)) / 1000,
        inside=inside,
    )


def _seen(results: list[ChannelResult], inside: np.ndarray, model: Model) -> Seen:
    scores = []
    for result in results:
        joined = result.joined(model.calibration.shares_for(result.contrast))
        known = in_own_units(joined, inside) if model.calibration.own_units else joined
        scores.append(np.asarray(known[inside], np.float32))
    return Seen(tuple(result.contrast for result in results), tuple(scores))


def _with_lesion(
    rng: np.random.Generator,
    scans: Mapping[int, Scan],
    prepared: PreparedCase,
    anatomy: np.ndarray | None,
    model: Model,
) -> tuple[dict[int, Scan], np.ndarray]:
    """The scans with a probe in them, and its voxels on the crop."""
    scheme = model.method.scheme
    fluid = class_kinds(scheme, "csf")
    inside = prepared.brain[prepared.box]
    solid = next(number for number in range(1, len(scheme) + 1) if number not in fluid)
    tissue = np.where(inside, solid if anatomy is None else anatomy, 0)
    seed = _seed_of_a_large_one(rng, prepared, tissue, fluid)
    changed, mask = {}, np.zeros(inside.shape, bool)
    for number, scan in scans.items():
        native = prepared.channels[number].native
        probe = draw_probe(np.random.default_rng(seed), native, tissue, fluid, prepared.spacing)
        painted = prepared.own_units(number, probe.image)
        array = scan.array.astype(np.float32, copy=True)
        array[prepared.box] = np.where(probe.weight > 0, painted, array[prepared.box])
        changed[number] = replace(scan, array=array)
        mask = probe.mask & inside
    return changed, mask


def _seed_of_a_large_one(
    rng: np.random.Generator, prepared: PreparedCase, tissue: np.ndarray, fluid: tuple[int, ...]
) -> int:
    """A seed whose probe is large enough; the last one tried where none is."""
    native = next(iter(prepared.channels.values())).native
    for _ in range(_TRIES):
        seed = int(rng.integers(2**31))
        probe = draw_probe(np.random.default_rng(seed), native, tissue, fluid, prepared.spacing)
        if probe.volume_ml >= _LEAST_ML:
            break
    return seed
