"""From raw healthy scans to the arrays that training draws from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from tqdm import tqdm

from disanat.anatomy.atlas import atlas_tissues
from disanat.anatomy.partial_volume import set_partial_volume_apart
from disanat.anatomy.shares import implausible_share
from disanat.errors import DatasetError, DisanatError, ImageError, ImplausibleError, PlanError
from disanat.home import Home
from disanat.io.cases import Case
from disanat.io.dataset import RawDataset, read_dataset
from disanat.io.images import Scan, read_labels, read_scan, same_grid
from disanat.io.store import StoredCase, save_case
from disanat.plans import Configuration, Plans, Triple
from disanat.preparation import Preparation
from disanat.preprocessing.bias_field import fit_bias_field
from disanat.preprocessing.brain_mask import brain_box
from disanat.preprocessing.brain_search import find_brain
from disanat.preprocessing.label_maps import preprocess_label_map
from disanat.preprocessing.normalisation import head_mask, intensity_scale, planned_scale
from disanat.preprocessing.parallel import each_result
from disanat.preprocessing.resampling import new_shape, resample
from disanat.synthesis.render import EXTRACEREBRAL
from disanat.tissues import TissueClass, remap_labels, scheme_by_names

__all__ = ["TissueEstimator", "preprocess_case", "preprocess_dataset", "read_case"]

log = logging.getLogger(__name__)

TissueEstimator = Callable[[Sequence[np.ndarray], np.ndarray, Triple], np.ndarray]
"""From a case's channels, its brain mask and the voxel size in mm to class numbers."""

_MARGIN_SKULL_MM = 20.0
_MARGIN_STRIPPED_MM = 6.0
_CLUSTERS = 4


def read_case(case: Case) -> dict[int, Scan]:
    """Read all channels of a case, which must lie on one grid.

    Raises:
        ImageError: a channel cannot be used.
        DatasetError: two channels lie on different grids.
    """
    scans = {channel: read_scan(path) for channel, path in case.channels.items()}
    first = next(iter(scans.values()))
    for scan in scans.values():
        if not same_grid(first.geometry, scan.geometry):
            raise DatasetError(
                f"{scan.path} and {first.path} lie on different grids (sizes "
                f"{scan.geometry.size} and {first.geometry.size}): resample one onto the other "
                "(rigid registration with --register is not part of this version)."
            )
    return scans


def preprocess_case(
    case: Case,
    prior: Path | None,
    plans: Plans,
    configuration: Configuration,
    brain_mask: Path | None = None,
    tissue_estimator: TissueEstimator | None = None,
) -> StoredCase:
    """Crop, resample, standardise and label one healthy case.

    Args:
        case: the scans.
        prior: their label map, where the dataset has any.
        plans: of the dataset.
        configuration: what to prepare for.
        brain_mask: the user's own mask.
        tissue_estimator: names the tissues where the plan's prior is `encoder`.

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
        labels = _atlas_labels(first, images[0], spacing, brain)
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


def _check_anatomy(labels: np.ndarray, scheme: tuple[TissueClass, ...], scan: Scan) -> None:
    strange = implausible_share(labels, scheme)
    if strange:
        raise ImplausibleError(
            f"{scan.path} is not understood by the shipped anatomy encoder ({strange}): check that "
            "it shows a whole healthy brain, give label maps in priorsTr, or plan with --prior "
            "atlas."
        )


def _atlas_labels(
    scan: Scan, image: np.ndarray, spacing: Triple, brain: np.ndarray
) -> np.ndarray:
    try:
        return atlas_tissues(image, spacing, brain)
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
    clusters = KMeans(_CLUSTERS, n_init=1, random_state=0)
    clusters.fit(values[:: max(1, values.size // 4000), None])
    rank = np.argsort(np.argsort(clusters.cluster_centers_[:, 0]))
    completed = labels.copy()
    completed[outside] = EXTRACEREBRAL + rank[clusters.predict(values[:, None])]
    return completed


def _job(
    case: Case,
    prior: Path | None,
    brain_mask: Path | None,
    plans: Plans,
    configuration: Configuration,
    folder: Path,
    tissue_estimator: TissueEstimator | None,
) -> str | None:
    """Preprocess and store one case; a user's mistake comes back as text, not as an exception."""
    try:
        stored = preprocess_case(case, prior, plans, configuration, brain_mask, tissue_estimator)
        save_case(folder, stored)
    except DisanatError as mistake:
        return str(mistake)
    return None


def preprocess_dataset(
    home: Home,
    dataset: str,
    plans: Plans,
    configuration: Configuration,
    processes: int,
    tissue_estimator: TissueEstimator | None = None,
) -> None:
    """Preprocess all training cases of a dataset for one configuration.

    Cases that cannot be used are reported and left out.

    Args:
        home: the home folder.
        dataset: full name of the dataset.
        plans: its plan.
        configuration: the configuration to preprocess for.
        processes: worker processes; 0 works in this one.
        tissue_estimator: names the tissues where the plan's prior is `encoder`; must survive
            pickling.

    Raises:
        DatasetError: fewer than four cases could be used.
    """
    raw = read_dataset(home.raw / dataset)
    folder = home.plans_folder(dataset, plans.name) / configuration.name
    cases = raw.training_cases()
    for stale in folder.glob("*.json"):
        stale.unlink()
    work = partial(
        _job,
        plans=plans,
        configuration=configuration,
        folder=folder,
        tissue_estimator=tissue_estimator,
    )
    jobs = [(c, raw.prior_path(c.name), raw.brain_mask_path(c.name)) for c in cases]
    refused = [
        message
        for message in tqdm(
            each_result(work, jobs, processes),
            total=len(cases),
            desc=f"preprocessing {configuration.name}",
            disable=None,
        )
        if message
    ]
    for message in refused:
        log.warning("left out: %s", message)
    if plans.label_maps:
        _prepare_label_maps(raw, plans, configuration, folder, processes)
    if len(cases) - len(refused) < 4:
        raise DatasetError(
            f"Only {len(cases) - len(refused)} of {len(cases)} cases of {home.raw / dataset} could "
            "be preprocessed: at least four healthy cases are needed "
            f"(first reason: {refused[0] if refused else 'too few cases'})"
        )


def _prepare_label_maps(
    raw: RawDataset, plans: Plans, configuration: Configuration, folder: Path, processes: int
) -> None:
    """Prepare the label maps without scans; one that is wrong stops all."""
    maps = raw.label_maps()
    work = partial(
        _map_job,
        mapping=raw.map_mapping,
        spacing=configuration.spacing,
        scheme=scheme_by_names(plans.classes),
        folder=folder,
    )
    made = each_result(work, list(maps.items()), processes)
    for _ in tqdm(made, total=len(maps), desc="preprocessing label maps", disable=None):
        pass


def _map_job(
    name: str,
    path: Path,
    mapping: Mapping[str, Sequence[int]],
    spacing: Triple,
    scheme: Sequence[TissueClass],
    folder: Path,
) -> None:
    save_case(folder, preprocess_label_map(name, path, mapping, spacing, scheme))
