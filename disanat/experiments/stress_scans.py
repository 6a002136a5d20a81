"""One case as it is and degraded, and what a model makes of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError
from disanat.evaluation.metrics import dice
from disanat.experiments.stress_kinds import RESTORED, Degradation, Place
from disanat.inference.prediction import Prediction
from disanat.inference.predictor import Predictor
from disanat.io.cases import Case
from disanat.io.images import Geometry, Scan, canonical_frame, read_labels, same_grid
from disanat.plans import BrainMaskTool
from disanat.preprocessing.alignment import read_case
from disanat.preprocessing.brain_search import find_brain
from disanat.preprocessing.normalisation import head_mask
from disanat.scoring.mask import MaskRule
from disanat.scoring.ranking import average_precision, best_dice, rank
from disanat.synthesis.acquisition import profiles, through_slices
from disanat.synthesis.guided import between_slices, restore_slices

__all__ = ["Degraded", "StressResult", "StressScan", "degrade", "judge", "look_up", "untouched"]


@dataclass(frozen=True)
class StressScan:
    """A case, its brain and its truth, on the grid of its files.

    `backgrounds` holds the constant value around each stripped channel, None where the skull is on;
    `lesion` is empty (all False) in a healthy brain. `guide` is not predicted; None without one.
    """

    case: str
    scans: Mapping[int, Scan]
    brain: np.ndarray
    backgrounds: Mapping[int, float | None]
    lesion: np.ndarray
    guide: np.ndarray | None

    @property
    def spacing(self) -> tuple[float, float, float]:
        return next(iter(self.scans.values())).spacing


@dataclass(frozen=True)
class Degraded:
    """Scans to predict, their brain mask, and the same scans on the fine grid for comparison.

    `back` (slices, thick slices) interpolates from thick slices; None where the grid is the same.
    """

    scans: Mapping[int, Scan]
    brain: Scan
    fine: Mapping[int, np.ndarray]
    back: np.ndarray | None = None


@dataclass(frozen=True)
class StressResult:
    """What became of one case at one strength; measures that do not exist are None.

    `likeness` is the correlation with the untouched scan in the brain, the mean over channels.
    """

    case: str
    degradation: str
    strength: float
    healthy: bool
    average_precision: float | None = None
    best_dice: float | None = None
    stored_dice: float | None = None
    false_positive_ml: float | None = None
    anatomy_dice: float | None = None
    likeness: float | None = None
    message: str = ""
    """Why there is no prediction."""


def look_up(
    case: Case,
    tool: BrainMaskTool,
    brain_mask: Path | None = None,
    label: Path | None = None,
    guide: int | None = None,
) -> StressScan:
    """Read a case, and find its brain once for all that is done to it.

    Args:
        case: its scans.
        tool: what finds the brain in whole heads.
        brain_mask: the user's own mask.
        label: the expert mask, above 0 = lesion; None for a healthy brain.
        guide: the channel that guides the restoration of thick slices; it is not predicted.

    Raises:
        DisanatError: the case cannot be used; the message names the file.
    """
    scans = read_case(case)
    if list(scans) == [guide]:
        raise DatasetError(
            f"Case {case.name} has channel {guide} alone, which --restore {guide} keeps for a "
            "guide: leave the case out, or add another channel."
        )
    first = next(iter(scans.values()))
    found = find_brain(scans, tool, brain_mask)
    lesion = np.zeros(first.array.shape, bool)
    if label is not None:
        truth = read_labels(label)
        if not same_grid(first.geometry, truth.geometry):
            raise DatasetError(
                f"{label} lies on another grid than {first.path}: resample it to the scan's grid "
                "with nearest neighbours."
            )
        lesion = truth.array > 0
    kept = {number: scan for number, scan in scans.items() if number != guide}
    return StressScan(
        case=case.name,
        scans=kept,
        brain=found.mask,
        backgrounds={number: found.backgrounds[number] for number in kept},
        lesion=lesion,
        guide=None if guide is None or guide not in scans else scans[guide].array,
    )


def untouched(scan: StressScan) -> Degraded:
    """The case as it is."""
    return Degraded(
        scan.scans, _mask_like(scan, scan.brain), {n: s.array for n, s in scan.scans.items()}
    )


def degrade(
    scan: StressScan, degradation: Degradation, strength: float, seed: int = 0
) -> Degraded:
    """The case as another acquisition would have shown it.

    What was stripped is stripped again, with the brain mask of the untouched scan.

    Args:
        scan: as `look_up` gives it.
        degradation: which.
        strength: one of its strengths.
        seed: of masks, phases, noise and motion, which are drawn anew for each case and channel.
    """
    if degradation.change is None:
        return _thick(scan, strength, degradation.name == RESTORED)
    arrays = {}
    for number, one in scan.scans.items():
        drawn = [seed, number, *map(_number, (scan.case, degradation.draws or degradation.name))]
        rng = np.random.default_rng(drawn)
        image, floor = _magnitude(scan, number)
        stripped = scan.backgrounds[number] is not None
        head = scan.brain if stripped else scan.brain | head_mask(image)
        place = Place(scan.brain, head, one.spacing, rng)
        arrays[number] = _stripped(scan, number, degradation.change(image, strength, place) + floor)
    scans = {n: replace(scan.scans[n], array=array) for n, array in arrays.items()}
    return Degraded(scans, _mask_like(scan, scan.brain), arrays)


def _number(text: str) -> int:
    return zlib.crc32(text.encode())


def _magnitude(scan: StressScan, number: int) -> tuple[np.ndarray, float]:
    """A channel with air at 0 and nothing below, and what was taken off."""
    array = scan.scans[number].array
    if scan.backgrounds[number] is None:
        floor = float(array.min())
        return array - floor, floor
    floor = float(array[scan.brain].min())
    return np.where(scan.brain, array - floor, 0).astype(np.float32), floor


def _stripped(scan: StressScan, number: int, array: np.ndarray) -> np.ndarray:
    background = scan.backgrounds[number]
    if background is None:
        return array.astype(np.float32)
    return np.where(scan.brain, array, np.float32(background)).astype(np.float32)


def _mask_like(scan: StressScan, brain: np.ndarray) -> Scan:
    first = next(iter(scan.scans.values()))
    return replace(first, array=brain.astype(np.int32))


def _thick(scan: StressScan, thickness_mm: float, restored: bool) -> Degraded:
    weights = profiles(len(scan.brain), scan.spacing[0], thickness_mm)
    thick = {n: through_slices(weights, s.array) for n, s in scan.scans.items()}
    if restored and scan.guide is not None:
        fine = {
            n: _stripped(scan, n, restore_slices(array, scan.guide, weights))
            for n, array in thick.items()
        }
        scans = {n: replace(scan.scans[n], array=array) for n, array in fine.items()}
        return Degraded(scans, _mask_like(scan, scan.brain), fine)
    if len(weights) == len(scan.brain):
        return untouched(scan)
    back = between_slices(weights)
    first = next(iter(scan.scans.values()))
    spacing = (thickness_mm, *first.spacing[1:])
    geometry = _coarser(first.geometry, len(weights), thickness_mm)
    coarse = {n: Scan(a, spacing, geometry, scan.scans[n].path) for n, a in thick.items()}
    brain = through_slices(weights, scan.brain) >= 0.5
    mask = Scan(brain.astype(np.int32), spacing, geometry, first.path)
    fine = {n: through_slices(back, array) for n, array in thick.items()}
    return Degraded(coarse, mask, fine, back)


def _coarser(geometry: Geometry, slices: int, thickness_mm: float) -> Geometry:
    """The canonical grid of a file with fewer, thicker slices, which begin where its own do."""
    frame = canonical_frame(geometry)
    x, y, z = frame.GetSpacing()
    begin = frame.TransformContinuousIndexToPhysicalPoint((0.0, 0.0, thickness_mm / z / 2 - 0.5))
    size = (*frame.GetSize()[:2], slices)
    return Geometry(size, (x, y, thickness_mm), begin, frame.GetDirection())


def judge(
    scan: StressScan,
    shown: Degraded,
    predictor: Predictor,
    degradation: str,
    strength: float,
    anatomy: np.ndarray | None = None,
) -> tuple[StressResult, np.ndarray | None]:
    """Predict a case and compare it with the truth and with the untouched scan's anatomy.

    Thick slices are judged on the fine grid, the anomaly map linearly interpolated between them.

    Args:
        scan: the case.
        shown: what of it is predicted.
        predictor: with its model.
        degradation: name for the result.
        strength: for the result.
        anatomy: of the untouched scan; None for that scan itself.

    Returns:
        The result, and the anatomy on the fine grid (None for methods that name no tissues).

    Raises:
        DisanatError: the model cannot predict it.
    """
    prediction = predictor.predict_scans(shown.scans, shown.brain)
    score, seen = _on_fine_grid(prediction, shown.back)
    brain = scan.brain
    score = np.where(brain, score, 0)
    mask = MaskRule(prediction.threshold, prediction.peak_threshold)(score, brain)
    ranking = rank(score, scan.lesion, brain)
    best = best_dice(ranking)
    voxel_ml = float(np.prod(scan.spacing)) / 1000
    result = StressResult(
        case=scan.case,
        degradation=degradation,
        strength=strength,
        healthy=ranking.positives == 0,
        average_precision=average_precision(ranking),
        best_dice=best[0] if best else None,
        stored_dice=dice(mask, scan.lesion, brain),
        false_positive_ml=int(np.count_nonzero(mask & ~scan.lesion)) * voxel_ml,
        anatomy_dice=None if anatomy is None or seen is None else _alike(anatomy, seen, brain),
        likeness=_likeness(scan, shown),
    )
    return result, seen


def _on_fine_grid(
    prediction: Prediction, back: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    if back is None:
        return prediction.anomaly, prediction.anatomy
    seen = prediction.anatomy
    nearest = None if seen is None else seen[back.argmax(axis=1)]
    return through_slices(back, prediction.anomaly), nearest


def _alike(before: np.ndarray, after: np.ndarray, brain: np.ndarray) -> float:
    """Mean Dice over the tissues that the untouched scan shows."""
    first, second = before[brain], after[brain]
    found = []
    for tissue in np.unique(first[first > 0]):
        one, other = first == tissue, second == tissue
        found.append(2 * np.count_nonzero(one & other) / (one.sum() + other.sum()))
    return float(np.mean(found)) if found else 0.0


def _likeness(scan: StressScan, shown: Degraded) -> float:
    found = []
    for number, array in shown.fine.items():
        one, other = scan.scans[number].array[scan.brain], array[scan.brain]
        flat = float(one.std()) == 0 or float(other.std()) == 0
        found.append(0.0 if flat else float(np.corrcoef(one, other)[0, 1]))
    return float(np.mean(found))
