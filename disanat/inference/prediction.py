"""What prediction finds in one case, and the files that it writes of it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

import disanat
from disanat.inference.fill import fill_lesions
from disanat.inference.layout import FLAT, Channel, Layout, Output
from disanat.inference.lesions import FoundLesion
from disanat.io.dicom_seg import write_dicom_seg
from disanat.io.images import Geometry, canonical_frame, image_like, write_like
from disanat.io.label_tables import write_label_tables
from disanat.preprocessing.alignment import AlignedChannel
from disanat.scoring.case_level import CaseP

__all__ = ["EXTRAS", "Prediction"]

EXTRAS = ("phi", "anatomy", "edges", "filled", "dicom_seg")
_ORDER = ("anomaly", "brainmask", *EXTRAS, "mask")
_WRITERS = 2
"""Files written at a time: each is compressed by one core."""


@dataclass(frozen=True)
class Prediction:
    """What disanat says about one case.

    All arrays lie on the scan's whole grid, with axes S, P, L (index 0 grows towards superior, 1
    towards posterior, 2 towards the patient's left) whatever the orientation of the file;
    `as_image` brings one back onto the file's own axes.

    Attributes:
        mask: bool (S, P, L), the regions of voxels of the brain that reach `threshold` throughout
            and `peak_threshold` somewhere.
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
        peak_threshold: the same; None where `threshold` says all.
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
    peak_threshold: float | None = None
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

    def channels(self, names: Mapping[int, str] | None = None) -> tuple[Channel, ...]:
        """The channels that were predicted, with the names that the user gives them."""
        given = names or {}
        return tuple(Channel(c, given.get(c, ""), self.contrasts.get(c, "")) for c in self.phi)

    def outputs(
        self,
        case: str,
        extras: tuple[str, ...] = ("phi",),
        layout: Layout = FLAT,
        channel_names: Mapping[int, str] | None = None,
    ) -> list[Output]:
        """The files that `save` writes, in the same order; paths are relative to the folder."""
        wanted = {"anomaly", "brainmask", "mask", *extras}
        wanted -= {kind for kind in ("anatomy", "edges") if getattr(self, kind) is None}
        wanted -= {"dicom_seg"} if self.source is None else set()
        there = layout.outputs(case, self.channels(channel_names))
        kept = [output for output in there if output.kind in wanted]
        return sorted(kept, key=lambda output: _ORDER.index(output.kind))

    def save(
        self,
        folder: str | Path,
        case: str,
        extras: tuple[str, ...] = ("phi",),
        layout: Layout = FLAT,
        channel_names: Mapping[int, str] | None = None,
    ) -> list[Path]:
        """Write the case's files into the scan's own geometry; the mask comes last.

        Args:
            folder: where to.
            case: name of the case.
            extras: which of `EXTRAS` to write beside mask, anomaly map and brain mask.
            layout: how the files are called.
            channel_names: what the channels are called; some layouts name files after them.

        Returns:
            What was written.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        outputs = self.outputs(case, extras, layout, channel_names)
        with ThreadPoolExecutor(_WRITERS) as writers:
            list(writers.map(partial(self._write, target), outputs[:-1]))
        self._write(target, outputs[-1])
        if {"anatomy", "edges"} & set(extras) and self.anatomy is not None and not layout.bids:
            write_label_tables(self.classes, target)
        return [target / output.path for output in outputs]

    def _write(self, target: Path, output: Output) -> None:
        path = target / output.path
        if output.kind == "dicom_seg" and self.source is not None:
            write_dicom_seg(self.mask, self.geometry, self.source, path, disanat.__version__)
        else:
            write_like(self._stored(output), self.geometry, path)

    def _stored(self, output: Output) -> np.ndarray:
        """What a file holds, in the type it is stored in."""
        if output.channel is not None:
            phi = output.kind == "phi"
            image = self.phi[output.channel] if phi else self.filled(output.channel)
            return np.asarray(image, np.float32)
        if output.kind == "anomaly":
            return np.asarray(self.anomaly, np.float32)
        labels = {
            "mask": self.mask,
            "brainmask": self.brain,
            "anatomy": self.anatomy,
            "edges": self.edges,
        }
        return np.asarray(labels[output.kind], np.uint8)
