"""What is measured of every variant of the method: anatomy, synthetic lesions, real lesions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from ablation_train import Trained, Variant
from disanat.errors import DatasetError, DisanatError
from disanat.evaluation.evaluate import label_path
from disanat.home import Home, atomic_path, read_json
from disanat.inference.preparation import prepare_case
from disanat.io.cases import Case, find_cases
from disanat.io.images import read_labels
from disanat.io.store import open_case
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.interface import PreparedChannel
from disanat.preprocessing.healthy import read_case
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.ranking import Ranking, average_precision, best_dice, rank
from disanat.scoring.shares import choose_shares
from disanat.synthesis.render import EXTRACEREBRAL, CaseSample, render
from disanat.training.looks import LOOKS, predictions

__all__ = ["MEASURES", "RealVolume", "measure", "real_volumes"]

log = logging.getLogger(__name__)

Values = dict[str, float]
"""Of one measure the value of each volume, by the volume's name."""

ANATOMY, RENDERED = "anatomy Dice, T1", "anatomy Dice, T2 and FLAIR"
SYNTHETIC = ("AP, synthetic", "best Dice, synthetic")
REAL = ("AP, real", "best Dice, real")
MEASURES = (ANATOMY, RENDERED, *SYNTHETIC, *REAL)
_SAMPLE = 20000


@dataclass(frozen=True)
class RealVolume:
    """One contrast of a case with lesions, ready for the networks.

    `truth` is bool on the channel's native grid, `lost` counts lesion voxels outside that crop.
    """

    name: str
    channel: PreparedChannel
    truth: np.ndarray
    lost: int


def measure(
    variant: Variant,
    made: Trained,
    reference: Sequence[str],
    judged: Sequence[str],
    volumes: Sequence[RealVolume],
) -> tuple[dict[str, Values], dict[str, float]]:
    """All measures, and the shares that the variant chose for its further scores.

    Every variant is shown the same looks and the same lesions.

    Args:
        variant: what was trained.
        made: its trained method.
        reference: healthy cases on which, with synthetic lesions, the shares are chosen.
        judged: healthy cases on which the anatomy and synthetic lesions are judged.
        volumes: real lesions.
    """
    shares = _shares(variant, made.method, reference)
    measures = _anatomy(variant, made.method, judged)
    synthetic: dict[str, Ranking] = {}
    rng = np.random.default_rng(1)
    shown = predictions(rng, made.method, variant.configuration, variant.cases, judged, True)
    for (case, look), one in zip(product(judged, LOOKS), shown):
        ranking = rank(one.result.joined(shares), one.truth, one.brain)
        synthetic[f"{case} {look}"] = ranking
    measures |= dict(zip(SYNTHETIC, _ranked(synthetic)))
    measures |= dict(zip(REAL, _ranked(_real(made.method, shares, volumes))))
    return measures, shares


def _shares(variant: Variant, method: DisentangledAnatomy, names: Sequence[str]) -> Values:
    """How much of each further score helps; without such a score nothing need be predicted."""
    seen, known = [], []
    rng = np.random.default_rng(0)
    for one in predictions(rng, method, variant.configuration, variant.cases, names, True):
        if not one.result.further:
            return {}
        further = {name: score[one.brain] for name, score in one.result.further.items()}
        seen.append((one.result.score[one.brain], further, one.truth[one.brain]))
        known.append(not one.probed)
    return choose_shares(seen, known, method.learned_scores)


def _real(
    method: DisentangledAnatomy, shares: Mapping[str, float], volumes: Sequence[RealVolume]
) -> dict[str, Ranking]:
    found = {}
    for one in volumes:
        try:
            [result] = method.predict([one.channel])
        except DisanatError as mistake:
            log.warning("%s is left out: %s", one.name, mistake)
            continue
        ranking = rank(result.joined(shares), one.truth, one.channel.native_brain)
        found[one.name] = replace(ranking, lost=ranking.lost + one.lost)
    return found


def _ranked(rankings: Mapping[str, Ranking]) -> tuple[Values, Values]:
    """Average precision and best Dice of each volume with a lesion."""
    precision, dice = {}, {}
    for name, ranking in rankings.items():
        reached, best = average_precision(ranking), best_dice(ranking)
        if reached is not None and best is not None:
            precision[name], dice[name] = reached, best[0]
    return precision, dice


def _anatomy(
    variant: Variant, method: DisentangledAnatomy, names: Sequence[str]
) -> dict[str, Values]:
    """Mean Dice over the classes of what the encoder sees: the scan as it is, and rendered."""
    measures: dict[str, Values] = {ANATOMY: {}, RENDERED: {}}
    rng = np.random.default_rng(2)
    configuration = variant.configuration
    for name in names:
        stored = open_case(variant.cases, name)
        real, labels = np.asarray(stored.image[0]), np.asarray(stored.labels[:])
        tissue = np.where(labels < EXTRACEREBRAL, labels, 0)
        chosen = rng.choice(np.flatnonzero(tissue), _SAMPLE)
        sample = CaseSample(real.ravel()[chosen], labels.ravel()[chosen])
        shown = {ANATOMY: {"real": real}, RENDERED: {}}
        for contrast in ("t2", "flair"):
            shown[RENDERED][contrast] = render(
                rng,
                labels,
                real,
                sample,
                None,
                method.scheme,
                configuration.spacing,
                configuration.augmentation,
                contrast,
            ).image
        for key, images in shown.items():
            for contrast, image in images.items():
                stripped = np.where(tissue > 0, image, np.float32(OUTSIDE))
                seen = method.anatomy(stripped)
                assert seen is not None
                measures[key][f"{name} {contrast}"] = _mean_dice(seen.argmax(0), tissue)
    return measures


def _mean_dice(seen: np.ndarray, truth: np.ndarray) -> float:
    values = [
        2 * np.count_nonzero((seen == k) & (truth == k))
        / (np.count_nonzero(seen == k) + np.count_nonzero(truth == k))
        for k in np.unique(truth[truth > 0])
    ]  # fmt: skip
    return float(np.mean(values))


def real_volumes(home: Home, variant: Variant, folder: Path, most: int | None) -> list[RealVolume]:
    """The first case of every test set and contrast, prepared as prediction would.

    Args:
        home: with the converted test sets in `raw/`.
        variant: whose voxel size and brain tool to use.
        folder: where what was prepared is kept, for the next variant and the next run.
        most: only so many, spread over all; None for all.
    """
    wanted = []
    for labels in sorted(home.raw.glob("*/labelsTs")):
        described = read_json(labels.parent / "dataset.json", DatasetError, "convert it again")
        for number, contrast in described["channel_names"].items():
            wanted.append((labels, int(number), str(contrast)))
    if most is not None and most < len(wanted):
        kept = np.linspace(0, len(wanted) - 1, most).round().astype(int)
        wanted = [wanted[i] for i in kept]
    found = []
    for labels, channel, contrast in wanted:
        try:
            found.append(_volume(variant, labels, channel, contrast, folder))
        except DisanatError as mistake:
            log.warning("%s %s is left out: %s", labels.parent.name, contrast, mistake)
    return found


def _volume(
    variant: Variant, labels: Path, channel: int, contrast: str, folder: Path
) -> RealVolume:
    case = next(c for c in find_cases(labels.parent / "imagesTs") if channel in c.channels)
    name = f"{labels.parent.name[11:]} {contrast} {case.name}"
    spacing = variant.configuration.spacing
    tool = variant.plans.brain_mask_tool
    size = "x".join(f"{s:g}" for s in spacing)
    kept = folder / f"{name.replace(' ', '_')}_{size}mm_{tool}.npz"
    if not kept.exists():
        _prepare(variant, case, channel, labels, kept)
    with np.load(kept) as data:
        first, second, third = (float(s) for s in data["native_spacing"])
        prepared = PreparedChannel(
            data["image"],
            data["brain"],
            spacing,
            data["native"],
            data["native_brain"],
            (first, second, third),
        )
        return RealVolume(name, prepared, data["truth"], int(data["lost"]))


def _prepare(variant: Variant, case: Case, channel: int, labels: Path, kept: Path) -> None:
    """Find the brain and prepare one contrast; keep it with the truth."""
    truth_path = label_path(labels, case.name)
    if truth_path is None:
        raise DatasetError(f"{labels} has no label map for case {case.name}: convert it again.")
    scans = read_case(Case(case.name, {channel: case.channels[channel]}))
    truth = read_labels(truth_path).array > 0
    prepared = prepare_case(
        scans,
        variant.configuration.spacing,
        variant.plans.brain_mask_tool,
        steps=variant.plans.preparation,
    )
    if truth.shape != prepared.brain.shape:
        raise DatasetError(f"{truth_path} lies on another grid than the scan: convert it again.")
    one, inside = prepared.channels[channel], truth[prepared.box]
    arrays = {
        "image": one.image,
        "brain": one.brain,
        "native": one.native,
        "native_brain": one.native_brain,
        "native_spacing": np.array(one.native_spacing),
        "truth": inside,
        "lost": np.array(np.count_nonzero(truth) - np.count_nonzero(inside)),
    }
    with atomic_path(kept) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, **arrays)
