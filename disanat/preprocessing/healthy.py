"""From the scans of a healthy case to the arrays that training draws from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from disanat.anatomy.atlas import atlas_tissues
from disanat.anatomy.partial_volume import set_partial_volume_apart
from disanat.anatomy.shares import implausible_share
from disanat.errors import DatasetError, ImageError, ImplausibleError, PlanError
from disanat.io.cases import Case
from disanat.io.images import Scan, read_labels, same_grid
from disanat.io.store import StoredCase
from disanat.plans import AtlasRoute, Configuration, Plans, Triple
from disanat.preparation import Preparation
from disanat.preprocessing.alignment import read_case
from disanat.preprocessing.bias_field import fit_bias_field
from disanat.preprocessing.brain_mask import brain_box
from disanat.preprocessing.brain_search import find_brain
from disanat.preprocessing.normalisation import head_mask, intensity_scale, planned_scale
from disanat.preprocessing.resampling import new_shape, resample
from disanat.synthesis.render import EXTRACEREBRAL
from disanat.tissues import TissueClass, remap_labels, scheme_by_names

if TYPE_CHECKING:
    from disanat.anatomy.atlas_by_anatomy import Anatomies

__all__ = ["AtlasSight", "TissueEstimator", "preprocess_case", "read_case"]

TissueEstimator = Callable[[Sequence[np.ndarray], np.ndarray, Triple], np.ndarray]
"""From a case's channels, its brain mask and the voxel size in mm to class numbers."""
AtlasSight = Callable[[Sequence[np.ndarray], np.ndarray, Triple], "Anatomies"]
"""From the same to the tissues of the case and of the atlas, by which this is registered."""

_MARGIN_SKULL_MM = 20.0
_MARGIN_STRIPPED_MM = 6.0
_CLUSTERS = 4


def preprocess_case(
    case: Case,
    prior: Path | None,
    plans: Plans,
    configuration: Configuration,
    brain_mask: Path | None = None,
    tissue_estimator: TissueEstimator | None = None,
    atlas_sight: AtlasSight | None = None,
) -> StoredCase:
    """Crop, resample, standardise and label one healthy case.

    Args:
        case: the scans.
        prior: their label map, where the dataset has any.
        plans: of the dataset.
        configuration: what to prepare for.
        brain_mask: the user's own mask.
        tissue_estimator: names the tissues where the plan's prior is `encoder`.
        atlas_sight: shows the tissues where the plan registers the atlas by them.

    Raises:
        DisanatError: the case cannot be used; the message names the file.
    """
    scans = read_case(case)
    first = next(iter(scans.values()))
    scheme = scheme_by_names(plans.classes)
    given = _given_labels(prior, first, plans, scheme)
    found = find_brain(scans, plans.brain_mask_tool, brain_mask, given)
    brain, steps = found.mask, plans.preparation
    spacing = configuration.spacing if steps.resampling else first.spacing
    margin = _MARGIN_STRIPPED_MM if found.stripped else _MARGIN_SKULL_MM
    box = brain_box(brain, first.spacing, margin)
    shape = new_shape(brain[box].shape, first.spacing, spacing)
    arrays = _corrected(scans, brain, steps)
    brain = resample(brain[box].astype(np.float32), shape) >= 0.5
    images = [resample(array[box], shape, order=3) for array in arrays]
    if given is not None:
        labels = resample(given[box], shape, order=0)
    elif plans.prior == "encoder":
        labels = _estimator(tissue_estimator, plans)(images, brain, spacing)
    else:
        anatomies = _anatomies(atlas_sight, plans, images, brain, spacing)
        labels = _atlas_labels(
            first, images[0], spacing, brain, plans.atlas_registration, anatomies
        )
    labels = _complete(labels, brain, scheme)
    if plans.prior == "encoder":
        _check_anatomy(labels, scheme, first)
    inside = [intensity_scale(i[brain]).standardise(i, brain) for i in images]
    labels = set_partial_volume_apart(labels, inside, spacing, scheme)
    if not found.stripped:
        labels = _label_outside(labels, images[0], brain)
    scales = [planned_scale(i[brain], steps.fixed_scale) for i in images]
    standard = [s.standardise(i, labels > 0) for s, i in zip(scales, images, strict=True)]
    return StoredCase(case.name, np.stack(standard), labels, tuple(scans))


def _corrected(
    scans: Mapping[int, Scan], brain: np.ndarray, steps: Preparation
) -> list[np.ndarray]:
    """The scans' arrays, without bias field where the plan takes it out."""
    if not steps.bias_correction:
        return [scan.array for scan in scans.values()]
    return [fit_bias_field(s.array, brain, s.spacing).remove(s.array) for s in scans.values()]


def _given_labels(
    prior: Path | None, scan: Scan, plans: Plans, scheme: tuple[TissueClass, ...]
) -> np.ndarray | None:
    if plans.prior != "labels":
        return None
    if prior is None:
        raise DatasetError(
            f"{scan.path} has no label map in priorsTr although the dataset's other cases do: "
            "add the map, or leave the scan out."
        )
    labels = read_labels(prior)
    if not same_grid(labels.geometry, scan.geometry):
        raise DatasetError(
            f"{prior} lies on another grid than {scan.path}: resample it onto the scan "
            "(nearest neighbour)."
        )
    return remap_labels(labels.array, plans.label_mapping, scheme)


def _estimator(given: TissueEstimator | None, plans: Plans) -> TissueEstimator:
    if given is None:
        raise PlanError(
            f"The plan of {plans.dataset} takes its tissues from a model that ships with disanat, "
            "but none is there: plan it again with disanat_plan_and_preprocess --prior atlas."
        )
    return given


def _anatomies(
    sight: AtlasSight | None,
    plans: Plans,
    images: Sequence[np.ndarray],
    brain: np.ndarray,
    spacing: Triple,
) -> Anatomies | None:
    if plans.atlas_registration == "intensity":
        return None
    if sight is None:
        raise PlanError(
            f"The plan of {plans.dataset} registers the atlas by what a model sees that ships with "
            "disanat, but none is there: plan it again with disanat_plan_and_preprocess "
            "--prior atlas --atlas_registration intensity."
        )
    return sight(images, brain, spacing)


def _check_anatomy(labels: np.ndarray, scheme: tuple[TissueClass, ...], scan: Scan) -> None:
    strange = implausible_share(labels, scheme)
    if strange:
        raise ImplausibleError(
            f"{scan.path} is not understood by the shipped anatomy encoder ({strange}): check that "
            "it shows a whole healthy brain, give label maps in priorsTr, or plan with --prior "
            "atlas."
        )


def _atlas_labels(
    scan: Scan,
    image: np.ndarray,
    spacing: Triple,
    brain: np.ndarray,
    route: AtlasRoute,
    anatomies: Anatomies | None,
) -> np.ndarray:
    try:
        return atlas_tissues(image, spacing, brain, route, anatomies)
    except ImageError as cause:
        raise ImplausibleError(f"{scan.path}: {cause}") from cause


def _complete(labels: np.ndarray, brain: np.ndarray, scheme: tuple[TissueClass, ...]) -> np.ndarray:
    """Voxels of the brain mask that no class claims are fluid between the gyri."""
    fluid = next(i for i, c in enumerate(scheme, start=1) if c.kind == "csf")
    return np.where(brain, np.where(labels > 0, labels, fluid), 0).astype(np.uint8)


def _label_outside(labels: np.ndarray, image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Number the tissue outside the brain by intensity, so that it can be rendered anew."""
    outside = head_mask(image) & ~brain
    values = image[outside]
    if values.size < 100 * _CLUSTERS:
        return labels
    from sklearn.cluster import KMeans  # slow, and stripped scans have no skull

    clusters = KMeans(_CLUSTERS, n_init=1, random_state=0)
    clusters.fit(values[:: max(1, values.size // 4000), None])
    rank = np.argsort(np.argsort(clusters.cluster_centers_[:, 0]))
    completed = labels.copy()
    completed[outside] = EXTRACEREBRAL + rank[clusters.predict(values[:, None])]
    return completed
