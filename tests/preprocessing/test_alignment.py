"""Channels brought onto the grid of the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.anatomy.rigid import register
from disanat.errors import DatasetError, ImageError
from disanat.io.cases import Case
from disanat.preprocessing.alignment import read_aligned, read_case

CENTRE = (0.0, 0.0, 0.0)
FINE = {"shape": (80, 96, 80), "spacing": (2.0, 2.0, 2.0)}


def case_of(folder: Path, miniature: Any, **moved: Any) -> tuple[Case, np.ndarray]:
    """T1 and FLAIR of one brain, the latter put elsewhere by its header; and the FLAIR."""
    t1, flair = (miniature.brain(7, look, **FINE).image for look in ("t1", "flair"))
    paths = {number: folder / f"p_000{number}.nii.gz" for number in (0, 1)}
    miniature.write(paths[0], t1, FINE["spacing"])
    miniature.write(paths[1], flair, FINE["spacing"], **moved)
    return Case("p", paths), flair


def test_a_wrong_place_is_put_right(miniature: Any, tmp_path: Path) -> None:
    moved = {"turn_deg": 6.0, "origin": (-72.0, -103.0, -66.0), "orientation": "RAS"}
    case, flair = case_of(tmp_path, miniature, **moved)
    with pytest.raises(DatasetError, match="--register"):
        read_case(case)
    aligned = read_aligned(case)
    [found] = aligned.found
    assert found.channel == 1 and found.spread_mm < 2
    assert found.information_after > 2 * found.information_before
    array = aligned.scans[1].array
    assert array.shape == flair.shape
    assert aligned.scans[1].geometry == aligned.scans[0].geometry
    inside = (flair > 0) & (array > 0)
    assert inside.sum() > 0.97 * (flair > 0).sum()


def test_a_real_head_is_found_wherever_its_header_puts_it(real_data: Path) -> None:
    folder = real_data / "elderly_t1_flair"
    t1, flair = (
        sitk.ReadImage(str(folder / name), sitk.sitkFloat32)
        for name in ("t1/Subj01_T1.nii.gz", "fl/Subj01_FL.nii.gz")
    )
    move = sitk.Euler3DTransform(CENTRE, *np.deg2rad((6, -4, 5)), (8, -10, 6))
    moved = sitk.Image(flair)
    turn = np.reshape(move.GetMatrix(), (3, 3))
    moved.SetDirection((turn @ np.reshape(flair.GetDirection(), (3, 3))).ravel().tolist())
    moved.SetOrigin(move.TransformPoint(flair.GetOrigin()))
    before, after = (register(t1, scan).transform for scan in (flair, moved))
    for corner in np.ndindex(2, 2, 2):
        place = (np.array(CENTRE) + 60 * (2 * np.array(corner) - 1)).tolist()
        wanted = move.TransformPoint(before.TransformPoint(place))
        np.testing.assert_allclose(after.TransformPoint(place), wanted, atol=0.5)


def test_one_grid_is_left_alone(miniature: Any, tmp_path: Path) -> None:
    case, flair = case_of(tmp_path, miniature)
    aligned = read_aligned(case)
    assert aligned.found == () and not aligned.seen
    np.testing.assert_array_equal(aligned.scans[1].array, flair)


def test_what_shows_no_head_is_refused(miniature: Any, tmp_path: Path) -> None:
    case, flair = case_of(tmp_path, miniature)
    noise = np.random.default_rng(0).normal(100, 10, (60, 70, 60)).astype(np.float32)
    miniature.write(case.channels[1], noise, FINE["spacing"])
    with pytest.raises(ImageError, match="leave one of them out"):
        read_aligned(case)
