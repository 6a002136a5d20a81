"""The atlas route, on brains made from the atlas and on real ones where they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from disanat.anatomy.atlas import atlas_brain_mask, atlas_tissues, load_atlas
from disanat.anatomy.atlas_registration import align, centred_image, coarse
from disanat.anatomy.mixture import fit_mixture, posterior
from disanat.errors import ImageError, ImplausibleError
from disanat.io.images import read_labels, read_scan
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, remap_labels

SPACING = (4.0, 4.0, 4.0)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def moved_brain(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True classes (0 to 3) and soft maps (3, S, P, L) of the atlas, scaled and shifted, 4 mm."""
    atlas = load_atlas()
    matrix, offset = np.diag((2.0, 2.15, 2.1)), np.array((2.0, -4.0, 3.0))
    shape = (50, 60, 50)
    maps = np.stack(
        [
            ndimage.affine_transform(m, matrix, offset, output_shape=shape, order=1)
            for m in (atlas.csf, atlas.grey, atlas.white)
        ]
    )
    inside = maps.sum(axis=0) > 0.5
    return np.where(inside, 1 + maps.argmax(axis=0), 0), maps


def test_atlas_is_a_partition_in_anatomical_axes() -> None:
    atlas = load_atlas()
    total = atlas.grey + atlas.white + atlas.csf
    np.testing.assert_allclose(total[atlas.brain], 1, atol=1e-4)
    assert total[~atlas.brain].max() == 0
    # Brainstem (white, small) below; frontal pole in front, occipital behind: widest behind.
    areas = atlas.brain.sum(axis=(1, 2))
    levels = np.flatnonzero(areas)
    assert areas[levels[:8]].mean() < 0.3 * areas.max()
    widths = atlas.brain.sum(axis=(0, 2)).nonzero()[0]
    front, back = atlas.brain[:, widths[0] + 12].sum(), atlas.brain[:, widths[-1] - 12].sum()
    assert back > front
    with pytest.raises(ValueError, match="read-only"):
        atlas.t1[0, 0, 0] = 1


@pytest.mark.parametrize("levels", [(20, 60, 100), (100, 50, 30), (10, 80, 70)])
def test_tissues_of_any_contrast(levels: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    truth, maps = moved_brain(rng)
    image = np.einsum("k...,k->...", maps, np.array(levels, float))
    ramp = np.linspace(0.85, 1.15, image.shape[2])
    image = (image * ramp + rng.normal(0, 2, image.shape)) * (truth > 0)
    found = atlas_tissues(image.astype(np.float32), SPACING, truth > 0)
    assert found.dtype == np.uint8 and not found[truth == 0].any()
    assert found[truth > 0].min() >= 1
    scores = [dice(found == k, truth == k) for k in (1, 2, 3)]
    assert min(scores) > 0.6 and np.mean(scores) > 0.75


def test_a_nodding_head_is_registered_and_a_wrong_one_refused() -> None:
    rng = np.random.default_rng(1)
    truth, maps = moved_brain(rng)
    image = np.einsum("k...,k->...", maps, np.array((20.0, 60.0, 100.0))) * (truth > 0)
    around = np.pad(image, 6)
    nodding = ndimage.rotate(around, 25, (0, 1), reshape=False, order=1)
    classes = ndimage.rotate(np.pad(truth, 6), 25, (0, 1), reshape=False, order=0)
    found = atlas_tissues(nodding.astype(np.float32), SPACING, classes > 0)
    assert np.mean([dice(found == k, classes == k) for k in (1, 2, 3)]) > 0.7
    turned = np.ascontiguousarray(image[:, ::-1].astype(np.float32))
    with pytest.raises(ImplausibleError, match=r"a Dice of only 0\.\d\d, below 0\.\d\d: check"):
        atlas_tissues(turned, SPACING, turned > 0)


def test_a_registration_can_be_repeated() -> None:
    atlas = load_atlas()
    moving = coarse(centred_image(atlas.t1, atlas.spacing), 8.0)
    mask = coarse(centred_image(atlas.brain, atlas.spacing), 8.0, sitk.sitkNearestNeighbor)
    initial = sitk.AffineTransform(3)
    initial.SetTranslation((9.0, -6.0, 4.0))
    runs = [align(moving, mask, moving, initial, iterations=15) for _ in range(2)]
    # Threads add up in any order, so that the last digits differ.
    assert runs[0][1] == pytest.approx(runs[1][1], rel=1e-6)
    first, second = (transform.GetParameters() for transform, _ in runs)
    assert first == pytest.approx(second, rel=1e-5, abs=1e-5)


def test_mixture_recovers_means_and_bias() -> None:
    rng = np.random.default_rng(0)
    truth = ndimage.zoom(rng.integers(0, 2, (5, 5, 5)), 5, order=0)
    bias = 1 + 0.2 * np.cos(np.linspace(0, np.pi, 25)).reshape(1, 1, -1)
    image = np.where(truth, 100.0, 60.0) * bias + rng.normal(0, 2, truth.shape)
    priors = np.stack([np.where(truth, 0.3, 0.7), np.where(truth, 0.7, 0.3)])
    mask = np.ones(truth.shape, bool)
    fitted = fit_mixture(image, priors, mask, (3.0, 3.0, 3.0))
    assert fitted.means[1] / fitted.means[0] == pytest.approx(100 / 60, rel=0.05)
    flat = (image / fitted.bias)[mask]
    assert (posterior(flat, priors[:, mask], fitted).argmax(axis=0) == truth[mask]).mean() > 0.97


def simulated_head(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    truth, maps = moved_brain(rng)
    pad = [(6, 6)] * 3
    brain = np.pad(truth > 0, pad)
    image = np.pad(np.einsum("k...,k->...", maps, np.array((20.0, 70.0, 100.0))), pad)
    outside = ndimage.distance_transform_edt(~brain, SPACING)
    image[(outside > 8) & (outside <= 15)] = 80
    image[~brain & (outside <= 8)] = 5
    return image + rng.normal(0, 2, image.shape) * (outside <= 15), brain


def test_brain_mask_of_a_head() -> None:
    image, brain = simulated_head(np.random.default_rng(2))
    assert dice(atlas_brain_mask(image.astype(np.float32), SPACING), brain) > 0.9


def test_no_brain_is_an_error() -> None:
    noise = np.random.default_rng(0).normal(50, 10, (20, 20, 20)).astype(np.float32)
    with pytest.raises(ImageError, match="plausible brain"):
        atlas_brain_mask(noise, (3.0, 3.0, 3.0))


def test_empty_mask_is_an_error() -> None:
    image = np.zeros((20, 20, 20), np.float32)
    with pytest.raises(ImageError, match="too few"):
        atlas_tissues(image, SPACING, image > 0)


def test_real_scan(real_data: Path) -> None:
    folder = real_data / "ixi_t1_2mm"
    scan = read_scan(folder / "t1" / "IXI386_T1.nii.gz")
    regions = read_labels(folder / "dlmuse" / "IXI386_DLMUSE.nii.gz").array
    kinds = np.array([0] + [("csf", "grey", "white").index(c.kind) + 1 for c in EIGHT_CLASSES])
    truth = kinds[remap_labels(regions, NUMBERINGS["dlmuse"], EIGHT_CLASSES)]
    found = atlas_tissues(scan.array, scan.spacing, truth > 0)
    scores = [dice(found == k, truth == k) for k in (1, 2, 3)]
    assert scores[0] > 0.6 and scores[1] > 0.75 and scores[2] > 0.8
    assert dice(atlas_brain_mask(scan.array, scan.spacing), truth > 0) > 0.87
