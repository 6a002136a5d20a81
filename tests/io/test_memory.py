"""Scans from memory: the same as from files, whatever holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from mini_brains import write_volume

from disanat.errors import ImageError
from disanat.io.images import read_scan
from disanat.io.memory import affine_image, labels_of, scan_of

SHAPE = (9, 12, 10)
SPACING = (4.0, 2.0, 3.0)


class SitkHolder:
    """What TorchIO's images offer."""

    def __init__(self, image: sitk.Image) -> None:
        self._image = image

    def as_sitk(self) -> sitk.Image:
        return self._image


class AffineHolder:
    """What MONAI's MetaTensor offers: a tensor with its channel first, and an affine."""

    def __init__(self, tensor: torch.Tensor, affine: torch.Tensor) -> None:
        self._tensor, self.affine = tensor, affine

    def detach(self) -> torch.Tensor:
        return self._tensor.detach()


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 100, SHAPE).astype(np.float32)


@pytest.fixture(params=[("LPS", 0.0), ("RAS", 0.0), ("PSR", 12.0)], ids=["LPS", "RAS", "turned"])
def file(request: pytest.FixtureRequest, array: np.ndarray, tmp_path: Path) -> Path:
    orientation, turn = request.param
    path = tmp_path / "scan.nii.gz"
    write_volume(path, array, SPACING, orientation, turn)
    return path


def holders(path: Path) -> dict[str, Any]:
    other = nib.load(path)
    tensor = torch.from_numpy(np.asarray(other.dataobj, np.float32)[None])
    return {
        "path": str(path),
        "sitk": sitk.ReadImage(str(path)),
        "torchio-like": SitkHolder(sitk.ReadImage(str(path))),
        "monai-like": AffineHolder(tensor, torch.from_numpy(other.affine)),
        "nibabel": other,
    }


@pytest.mark.parametrize("kind", ["path", "sitk", "torchio-like", "monai-like", "nibabel"])
def test_every_holder_gives_what_the_file_gives(file: Path, kind: str) -> None:
    wanted, found = read_scan(file), scan_of(holders(file)[kind])
    np.testing.assert_allclose(found.array, wanted.array, rtol=1e-6)
    np.testing.assert_allclose(found.spacing, wanted.spacing, rtol=1e-5)
    assert found.geometry.size == wanted.geometry.size
    np.testing.assert_allclose(found.geometry.origin, wanted.geometry.origin, atol=1e-3)
    np.testing.assert_allclose(found.geometry.direction, wanted.geometry.direction, atol=1e-5)


def test_a_bare_array_has_the_axes_s_p_l(array: np.ndarray) -> None:
    found = scan_of(array, SPACING)
    np.testing.assert_array_equal(found.array, array)
    assert found.spacing == SPACING and found.geometry.orientation == "LPS"


@pytest.mark.parametrize("kind", [bool, np.float16, np.int64, np.uint8])
def test_kinds_of_numbers(kind: type) -> None:
    mask = np.zeros(SHAPE, kind)
    mask[2:5, 3:6, 4:7] = 1
    np.testing.assert_array_equal(labels_of(mask, SPACING).array, mask.astype(int))


def test_a_mask_may_hold_only_whole_numbers(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="The mask given is no label map"):
        labels_of(array, SPACING)


@pytest.mark.parametrize(
    "image, spacing, said",
    [
        (np.ones(SHAPE), None, "give spacing="),
        (np.ones(SHAPE), (1.0, 2.0), "give spacing="),
        (np.ones(SHAPE), (1.0, 0.0, 2.0), "give spacing="),
        (np.ones((2, 9, 9, 9)), SPACING, "three axes S, P, L"),
        (np.ones(SHAPE), SPACING, "the same value in every voxel"),
        (np.full(SHAPE, np.nan), SPACING, "NaN or infinite"),
        (np.arange(1080.0).reshape(SHAPE), (400.0, 1.0, 1.0), "which cannot be"),
        (sitk.Image(4, 4, 4, sitk.sitkFloat32), SPACING, "Only a bare array takes a spacing"),
        ("scan.nii.gz", SPACING, "Only a bare array takes a spacing"),
        ([[1, 2]], None, "is a list: give a path"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    image: Any, spacing: Any, said: str
) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        scan_of(image, spacing)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "affine, said",
    [
        (np.diag([1.0, 0.0, 1.0, 1.0]), "no grid"),
        (np.array([[1, 1, 0, 0], [1, 1.01, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "right angles"),
        (np.array([[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "right angles"),
    ],
)
def test_an_affine_that_is_no_grid_is_refused(affine: np.ndarray, said: str) -> None:
    holder = AffineHolder(torch.arange(1080.0).reshape(SHAPE), torch.from_numpy(affine))
    with pytest.raises(ImageError, match=said):
        scan_of(holder)


def test_the_rounding_of_an_affine_is_no_other_voxel_size(array: np.ndarray) -> None:
    affine = np.diag([4.000000158, 2.00000003, 2.99999998, 1.0])
    assert affine_image(array, affine).GetSpacing() == (4.0, 2.0, 3.0)


def test_several_channels_in_one_tensor_are_refused() -> None:
    with pytest.raises(ImageError, match="give each channel as an image of its own"):
        affine_image(np.ones((2, 3, 3, 3)), np.eye(4))
