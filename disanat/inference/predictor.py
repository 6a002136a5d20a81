"""Prediction of one case: from scans to pseudo-healthy images, anomaly map and lesion mask."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

import disanat
from disanat.errors import DatasetError, ImageError
from disanat.inference.fill import fill_lesions
from disanat.inference.lesions import FoundLesion, find_lesions
from disanat.inference.model import Model, load_model
from disanat.inference.preparation import PreparedCase, prepare_case
from disanat.io.cases import Case, find_cases
from disanat.io.dicom_seg import write_dicom_seg
from disanat.io.images import Geometry, Scan, canonical_frame, image_like, write_like
from disanat.io.label_tables import write_label_tables
from disanat.io.memory import ImageLike, labels_of, scan_of
from disanat.methods.interface import ChannelResult
from disanat.preprocessing.alignment import (
    Aligned,
    AlignedChannel,
    check_one_grid,
    read_aligned,
    read_case,
)
from disanat.scoring.calibration import BEST
from disanat.scoring.case_level import CaseP, case_p_value, case_score
from disanat.scoring.distribution import unlike_training

__all__ = ["EXTRAS", "Prediction", "Predictor"]

log = logging.getLogger(__name__)

_RESULT = re.compile(r"(_anomaly|_brainmask|_anatomy|_edges|_\d{4}_(phi|filled))$")
EXTRAS = ("phi", "anatomy", "edges", "filled", "dicom_seg")
_LEAST_COVERED = 0.9
"""Share of the brain that a registered channel must show."""


@dataclass(frozen=True)
class Prediction:
    """What disanat says about one case.

    All arrays lie on the scan's whole grid, with axes S, P, L (index 0 grows towards superior, 1
    towards posterior, 2 towards the patient's left) whatever the orientation of the file;
    `as_image` brings one back onto the file's own axes.

    Attributes:
        mask: bool (S, P, L), the voxels of the brain that reach `threshold`.
        anomaly: float32 (S, P, L), -log10 of the share of healthy brain voxels with at least such a
            score; 0 outside `brain`. No unit; 3 means one in 1,000.
        brain: bool (S, P, L), the voxels that were judged.
        phi: channel -> float32 (S, P, L), the pseudo-healthy image in that channel's own intensity
            units; the scan's background outside `brain`.
        anatomy: uint8 (S, P, L), tissue class of the restored anatomy, 0 outside the brain, else
            one more than the place in the plan's `classes`; None for methods that name no tissues.
        edges: uint8 (S, P, L), the same, kept at the rims of the classes alone; or None.
        geometry: the grid of the file (axes x, y, z of the file; mm).
        threshold: of `mask`, in units of `anomaly`.
        brain_ml: volume of `brain` in mL.
        lesion_ml: volume of `mask` in mL.
        case_score: the value of `anomaly` that the most anomalous millilitre reaches.
        contrasts: channel -> what it looks like: `t1`, `t2`, `flair`, or `any`.
        case_p: how rare `case_score` is among healthy cases, a share of 1; None if the model
            cannot tell.
        flags: in what the scan is unlike those trained on, such as `unlike_training:noise`.
        lesions: the 26-connected parts of `mask`, largest first (mL, mm).
        scans: channel -> float32 (S, P, L), the scan as it was predicted, in its own units.
        registration: how those channels were moved that had another grid than the first.
        source: the first channel's file; None for what was never a file.
        classes: names of the numbers of `anatomy`, from 1 on.
    """

    mask: np.ndarray
    anomaly: np.ndarray
    brain: np.ndarray
    phi: dict[int, np.ndarray]
    anatomy: np.ndarray | None
    edges: np.ndarray | None
    geometry: Geometry
    threshold: float
    brain_ml: float
    lesion_ml: float
    case_score: float
    contrasts: dict[int, str] = field(default_factory=dict)
    case_p: CaseP | None = None
    flags: tuple[str, ...] = ()
    lesions: tuple[FoundLesion, ...] = ()
    scans: Mapping[int, np.ndarray] = field(default_factory=dict)
    registration: tuple[AlignedChannel, ...] = ()
    source: Path | None = None
    classes: tuple[str, ...] = ()

    def filled(self, channel: int) -> np.ndarray:
        """A channel with its pseudo-healthy image in place of the lesions; see `fill_lesions`."""
        z, y, x = self.spacing
        scan, phi = self.scans[channel], self.phi[channel]
        return fill_lesions(scan, phi, self.mask, self.brain, (z, y, x), seed=channel)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along S, P, L in mm."""
        x, y, z = canonical_frame(self.geometry).GetSpacing()
        return z, y, x

    def as_image(self, array: np.ndarray) -> sitk.Image:
        """One of the arrays above as an image on the scan's own grid, in the file's orientation.

        >>> sitk.WriteImage(prediction.as_image(prediction.anomaly), "anomaly.nii.gz")

        Args:
            array: (S, P, L), of the scan's whole grid.

        Raises:
            ImageError: the array has another shape.
        """
        return image_like(array.astype(np.uint8) if array.dtype == bool else array, self.geometry)

    def save(self, folder: str | Path, case: str, extras: tuple[str, ...] = ("phi",)) -> list[Path]:
        """Write the case's files into the scan's own geometry; the mask comes last.

        Args:
            folder: where to.
            case: name of the case.
            extras: which of `EXTRAS` to write beside mask, anomaly map and brain mask.

        Returns:
            What was written.
        """
        written: list[Path] = []

        def write(array: np.ndarray | None, ending: str, kind: type[np.generic]) -> None:
            if array is not None:
                path = target / f"{case}{ending}.nii.gz"
                write_like(array.astype(kind), self.geometry, path)
                written.append(path)

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        write(self.anomaly, "_anomaly", np.float32)
        write(self.brain, "_brainmask", np.uint8)
        if "phi" in extras:
            for channel, phi in self.phi.items():
                write(phi, f"_{channel:04d}_phi", np.float32)
        if "anatomy" in extras:
            write(self.anatomy, "_anatomy", np.uint8)
        if "edges" in extras:
            write(self.edges, "_edges", np.uint8)
        if {"anatomy", "edges"} & set(extras) and self.anatomy is not None:
            write_label_tables(self.classes, target)
        if "filled" in extras:
            for channel in self.phi:
                write(self.filled(channel), f"_{channel:04d}_filled", np.float32)
        if "dicom_seg" in extras and self.source is not None:
            path = target / f"{case}_seg.dcm"
            write_dicom_seg(self.mask, self.geometry, self.source, path, disanat.__version__)
            written.append(path)
        write(self.mask, "", np.uint8)
        return written


class Predictor:
    """Predicts cases with one trained model.

    >>> predictor = Predictor.from_folder("results/Dataset005_IXI/dal__2d/fold_0")
    >>> prediction = predictor.predict("scan.nii.gz")
    >>> prediction.save("out", "scan")

    Args:
        model: as loaded.
        threshold: of the mask: `best`, `1%` or `5%` as the model stores them, or a number in units
            of the anomaly map.

    Raises:
        ModelError: the model has no such threshold.
    """

    def __init__(self, model: Model, threshold: str | float = BEST) -> None:
        self.model = model
        self.threshold_choice = str(threshold)
        self.threshold = model.calibration.threshold_of(threshold)

    @classmethod
    def from_folder(
        cls, folder: str | Path, device: str = "cpu", threshold: str | float = BEST
    ) -> Predictor:
        """Load the model of a fold's folder.

        Raises:
            ModelError: there is no finished model, or it has no such threshold.
        """
        return cls(load_model(Path(folder), device), threshold)

    def predict(
        self,
        image: ImageLike | Mapping[int, ImageLike],
        brain_mask: ImageLike | None = None,
        spacing: Sequence[float] | None = None,
    ) -> Prediction:
        """Predict one case from a file or from memory.

        >>> predictor.predict("scan.nii.gz")
        >>> predictor.predict(sitk.ReadImage("scan.nii.gz"))
        >>> predictor.predict(array, spacing=(3.0, 0.9, 0.9))
        >>> predictor.predict({0: "t1.nii.gz", 1: "flair.nii.gz"})

        Args:
            image: the scan, of any contrast, in any intensity units: a path (of a file, or a folder
                with one DICOM series), an image of SimpleITK, a TorchIO image, a MONAI MetaTensor,
                an image of nibabel, or a bare array (S, P, L) with its `spacing`. A dict of these,
                channel number -> scan on one grid, gives one prediction from all.
            brain_mask: a mask of your own on the scan's grid, in any of these forms, above 0 =
                brain; else the brain is found.
            spacing: voxel size of bare arrays along S, P, L in mm.

        Raises:
            ImageError: a scan or the mask cannot be used; no plausible brain was found.
            DatasetError: channels lie on different grids.
        """
        given = image if isinstance(image, Mapping) else {0: image}
        if not given:
            raise DatasetError("No channel was given: give at least one scan.")
        scans = {channel: scan_of(one, spacing) for channel, one in given.items()}
        check_one_grid(scans)
        bare = isinstance(brain_mask, np.ndarray) and not hasattr(brain_mask, "affine")
        mask = None if brain_mask is None else labels_of(brain_mask, spacing if bare else None)
        return self.predict_scans(scans, mask)

    def predict_case(
        self, case: Case, brain_mask: Path | None = None, register: bool = False
    ) -> Prediction:
        """Predict one case from all its channels together.

        Args:
            case: the scans.
            brain_mask: the user's own mask, on the grid of the first channel.
            register: bring channels on other grids onto the first one's.

        Raises:
            DisanatError: the case cannot be used; the message names the file.
        """
        aligned = read_aligned(case) if register else Aligned(read_case(case))
        return self._predict(aligned, brain_mask)

    def predict_scans(
        self, scans: Mapping[int, Scan], brain_mask: Path | Scan | None = None
    ) -> Prediction:
        """Predict scans that were read already: channel number -> scan, all on one grid."""
        return self._predict(Aligned(dict(scans)), brain_mask)

    def _predict(self, aligned: Aligned, brain_mask: Path | Scan | None) -> Prediction:
        scans = aligned.scans
        method, plans = self.model.method, self.model.plans
        prepared = prepare_case(
            scans,
            self.model.configuration.spacing,
            plans.brain_mask_tool,
            brain_mask,
            plans.preparation,
        )
        aligned = _with_cover(aligned, prepared.brain)
        results = method.predict(list(prepared.channels.values()))
        by_channel = dict(zip(prepared.channels, results, strict=True))
        return self._assemble(prepared, by_channel, aligned)

    def _assemble(
        self,
        prepared: PreparedCase,
        results: Mapping[int, ChannelResult],
        aligned: Aligned,
    ) -> Prediction:
        scans = aligned.scans
        calibration = self.model.calibration
        shares = calibration.shares
        fused = np.mean(
            [
                calibration(r.joined(shares), r.contrast, prepared.channels[c].native_brain)
                for c, r in results.items()
            ],
            axis=0,
        )
        anomaly = np.where(prepared.brain, prepared.whole(fused.astype(np.float32), 0.0), 0)
        mask = (anomaly >= self.threshold) & prepared.brain
        voxel_ml = float(np.prod(prepared.spacing)) / 1000
        phi = {}
        for channel, result in results.items():
            scan = scans[channel].array
            own_units = np.clip(
                prepared.own_units(channel, result.phi), scan.min(), scan.max()
            )
            whole = prepared.whole(own_units, prepared.background[channel])
            phi[channel] = np.where(prepared.brain, whole, np.float32(prepared.background[channel]))
        first = next(iter(results.values()))
        contrasts = {channel: r.contrast for channel, r in results.items()}
        anatomy = self._labels(prepared, first.anatomy)
        geometry = next(iter(scans.values())).geometry
        score = case_score(anomaly[prepared.brain], voxel_ml)
        return Prediction(
            mask=mask,
            anomaly=anomaly.astype(np.float32),
            brain=prepared.brain,
            phi=phi,
            anatomy=anatomy,
            edges=self._labels(prepared, first.edges),
            geometry=geometry,
            threshold=self.threshold,
            brain_ml=prepared.brain_ml,
            lesion_ml=float(mask.sum()) * voxel_ml,
            case_score=score,
            contrasts=contrasts,
            case_p=case_p_value(score, calibration.case_scores, tuple(contrasts.values())),
            flags=unlike_training([r.figures for r in results.values()], calibration.bounds),
            lesions=find_lesions(mask, anomaly, anatomy, geometry, self.model.plans.classes),
            scans={channel: scan.array for channel, scan in scans.items()},
            registration=aligned.found,
            source=next(iter(scans.values())).path,
            classes=tuple(self.model.plans.classes),
        )

    @staticmethod
    def _labels(prepared: PreparedCase, labels: np.ndarray | None) -> np.ndarray | None:
        if labels is None:
            return None
        return np.where(prepared.brain, prepared.whole(labels, 0), 0).astype(np.uint8)


def _with_cover(aligned: Aligned, brain: np.ndarray) -> Aligned:
    """With what share of the brain each registered channel shows.

    Raises:
        ImageError: one shows too little of it.
    """
    found = []
    for one in aligned.found:
        covered = float(aligned.seen[one.channel][brain].mean())
        if covered < _LEAST_COVERED:
            path = aligned.scans[one.channel].path
            raise ImageError(
                f"{path} shows only {100 * covered:.0f}% of the brain: leave it out, or give it as "
                "the first channel."
            )
        found.append(replace(one, covered=round(covered, 3)))
    return replace(aligned, found=tuple(found))


def select_channels(cases: list[Case], wanted: list[int] | None) -> list[Case]:
    """Keep only some channels of each case; cases that have none of them keep nothing.

    Raises:
        DatasetError: no case has any of the wanted channels.
    """
    if wanted is None:
        return cases
    kept = [Case(c.name, {k: p for k, p in c.channels.items() if k in wanted}) for c in cases]
    if not any(c.channels for c in kept):
        there = sorted({k for c in cases for k in c.channels})
        raise DatasetError(
            f"No case has a channel {', '.join(map(str, wanted))}: use_channels must name some of "
            f"{', '.join(map(str, there))}."
        )
    return kept


def input_cases(source: Path, wanted: list[int] | None = None) -> list[Case]:
    """Cases of an input folder or file, with the channels asked for.

    Raises:
        DatasetError: there is none, or results of one would have the names of another's.
    """
    cases = select_channels(find_cases(source), wanted)
    names = {case.name for case in cases}
    for name in sorted(names):
        owner = _RESULT.sub("", name)
        if owner != name and owner in names:
            raise DatasetError(
                f"{source} holds the cases {owner} and {name}, but {name} is what a result of "
                f"{owner} is called: rename it or take it out."
            )
    return cases
