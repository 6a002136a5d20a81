"""Prediction of one case: from scans to pseudo-healthy images, anomaly map and lesion mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError, ImageError
from disanat.inference.lesions import find_lesions
from disanat.inference.model import Model, load_model
from disanat.inference.prediction import EXTRAS, Prediction
from disanat.inference.preparation import PreparedCase, prepare_case
from disanat.inference.registering import Route, placing
from disanat.io.cases import Case
from disanat.io.images import Scan
from disanat.io.memory import HasSitk, ImageLike, labels_of, scan_of
from disanat.methods.interface import ChannelResult
from disanat.networks.turns import network_turns
from disanat.preprocessing.alignment import (
    Aligned,
    check_one_grid,
    read_aligned,
    read_case,
)
from disanat.scoring.calibration import BEST
from disanat.scoring.case_level import case_p_value, case_score
from disanat.scoring.distribution import unlike_training
from disanat.scoring.mask import MaskRule

__all__ = ["EXTRAS", "Prediction", "Predictor"]

_LEAST_COVERED = 0.9
"""Share of the brain that a registered channel must show."""


class Predictor:
    """Predicts cases with one trained model.

    >>> predictor = Predictor.from_folder("results/Dataset005_IXI/dal__2d/fold_0")
    >>> prediction = predictor.predict("scan.nii.gz")
    >>> prediction.save("out", "scan")

    Args:
        model: as loaded.
        threshold: of the mask: `best`, `1%` or `5%` as the model stores them, or a number in units
            of the anomaly map. Only `best` asks besides that each lesion reaches a higher value
            somewhere.
        fast: look at each voxel as seldom as the networks can: no mirroring, fewer overlaps; and
            calculate in bfloat16 where the device has it.

    Raises:
        ModelError: the model has no such threshold.
    """

    def __init__(self, model: Model, threshold: str | float = BEST, fast: bool = False) -> None:
        self.model = model
        self.fast = fast
        self._method = model.method.faster() if fast else model.method
        self.threshold_choice = str(threshold)
        self._threshold = threshold
        self.mask_rule = model.calibration.mask_rule(threshold)
        """The common rule, of cases whose kinds of contrast have none of their own."""

    def mask_rule_for(self, contrasts: Sequence[str]) -> MaskRule:
        """The rule that makes the mask of a case, by the kind of contrast of each channel."""
        return self.model.calibration.mask_rule(self._threshold, contrasts)

    def told_mask_rules(self) -> str:
        """All rules in words."""
        return self.model.calibration.told_rules(self._threshold)

    @property
    def own_mask_rules(self) -> dict[str, MaskRule]:
        """The rules of kinds of contrast in which the mask is not made by the common one."""
        return self.model.calibration.own_mask_rules(self._threshold)

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        device: str = "cpu",
        threshold: str | float = BEST,
        fast: bool = False,
    ) -> Predictor:
        """Load the model of a fold's folder.

        Raises:
            ModelError: there is no finished model, or it has no such threshold.
        """
        return cls(load_model(Path(folder), device), threshold, fast)

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
        if isinstance(image, HasSitk) or not isinstance(image, Mapping):
            given: Mapping[int, ImageLike] = {0: image}  # an image of TorchIO is a dict as well
        else:
            given = image
        if not given:
            raise DatasetError("No channel was given: give at least one scan.")
        scans = {channel: scan_of(one, spacing) for channel, one in given.items()}
        check_one_grid(scans)
        bare = isinstance(brain_mask, np.ndarray) and not hasattr(brain_mask, "affine")
        mask = None if brain_mask is None else labels_of(brain_mask, spacing if bare else None)
        return self.predict_scans(scans, mask)

    def predict_case(
        self, case: Case, brain_mask: Path | None = None, register: Route | None = None
    ) -> Prediction:
        """Predict one case from all its channels together.

        Args:
            case: the scans.
            brain_mask: the user's own mask, on the grid of the first channel.
            register: bring channels on other grids onto the first one's, by their `anatomy`, by
                `intensity`, or by `both` in turn; refused if not given.

        Raises:
            DisanatError: the case cannot be used; the message names the file.
        """
        if register is None:
            return self._predict(Aligned(read_case(case)), brain_mask)
        tool = self.model.plans.brain_mask_tool
        aligned = read_aligned(case, placing(register, tool, brain_mask))
        return self._predict(aligned, brain_mask)

    def predict_scans(
        self, scans: Mapping[int, Scan], brain_mask: Path | Scan | None = None
    ) -> Prediction:
        """Predict scans that were read already: channel number -> scan, all on one grid."""
        return self._predict(Aligned(dict(scans)), brain_mask)

    def _predict(self, aligned: Aligned, brain_mask: Path | Scan | None) -> Prediction:
        scans = aligned.scans
        method, plans = self._method, self.model.plans
        prepared = prepare_case(
            scans,
            self.model.configuration.spacing,
            plans.brain_mask_tool,
            brain_mask,
            plans.preparation,
        )
        aligned = _with_cover(aligned, prepared.brain)
        with nullcontext() if method.alongside else network_turns.one():
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
        fused = np.mean(
            [
                calibration(
                    result.joined(calibration.shares_for(result.contrast)),
                    result.contrast,
                    prepared.channels[channel].native_brain,
                )
                for channel, result in results.items()
            ],
            axis=0,
        )
        anomaly = np.where(prepared.brain, prepared.whole(fused.astype(np.float32), 0.0), 0)
        contrasts = {channel: r.contrast for channel, r in results.items()}
        rule = self.mask_rule_for(tuple(contrasts.values()))
        mask = rule(anomaly, prepared.brain)
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
            threshold=rule.threshold,
            peak_threshold=rule.peak,
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
