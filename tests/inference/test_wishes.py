"""What can be asked of a prediction: registration, names of channels, further files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import write_frames, write_slices
from predictions import home_flags, names, table

MARKED = ("--threshold", "1.5")
"""Low enough for a mask of the miniature model's."""
FINE = {"shape": (80, 96, 80), "spacing": (2.0, 2.0, 2.0)}


def in_slices(folder: Path, array: np.ndarray) -> None:
    write_slices(folder / "p", array, (4.0, 4.0, 4.0), turn_deg=12)


def in_one_file(folder: Path, array: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(len(array))
    write_frames(folder / "p" / "all.dcm", array, (4.0, 4.0, 4.0), order, turn_deg=12)


@pytest.mark.parametrize("write", [in_slices, in_one_file])
def test_a_dicom_segmentation_lies_over_its_series(
    write: Callable[[Path, np.ndarray], None], miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    write(source, miniature.brain(7, "flair", lesion=True).image)
    words = ("-i", source, "-o", out, "--save", "dicom_seg", *MARKED, *home_flags(trained_home))
    assert miniature.run("predict", *words) == 0
    mask = sitk.ReadImage(str(out / "p.nii.gz"))
    voxels = np.argwhere(sitk.GetArrayFromImage(mask) > 0)[:, ::-1]
    wanted = [mask.TransformIndexToPhysicalPoint(v.tolist()) for v in voxels]
    volume = highdicom.seg.segread(out / "p_seg.dcm").get_volume(combine_segments=True)
    marked = np.argwhere(volume.array > 0)
    found = volume.map_indices_to_reference(marked)
    assert len(wanted) > 20
    np.testing.assert_allclose(sorted(map(tuple, found.round(1))), sorted(wanted), atol=0.06)


def test_each_frame_of_it_names_the_slice_it_belongs_to(
    miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    in_slices(source, miniature.brain(7, "flair", lesion=True).image)
    words = ("-i", source, "-o", out, "--save", "dicom_seg", *MARKED, *home_flags(trained_home))
    assert miniature.run("predict", *words) == 0
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "p.nii.gz")))
    series = sitk.ReadImage(str(out / "p.nii.gz")).GetSize()
    made = highdicom.seg.segread(out / "p_seg.dcm")
    uids = [uid for _, _, uid in made.get_source_image_uids()]
    planes = made.get_pixels_by_source_instance(uids, combine_segments=True)
    numbers = [int(uid.rpartition(".")[2]) - 1 for uid in uids]
    in_order = planes[np.argsort(numbers)]
    assert in_order.shape == series[::-1] and mask.any()
    np.testing.assert_array_equal(in_order, mask)


def test_a_dicom_segmentation_needs_dicom(
    miniature: Any, trained_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    miniature.write(tmp_path / "in" / "p.nii.gz", miniature.brain(7).image)
    words = ("-i", tmp_path / "in", "-o", tmp_path / "out", "--save", "dicom_seg")
    assert miniature.run("predict", *words, *home_flags(trained_home)) != 0
    assert "p.nii.gz is no DICOM image" in capfd.readouterr().err


def test_a_filled_scan_keeps_all_but_the_lesions(
    miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    miniature.write(source / "p.nii.gz", miniature.brain(7, "flair", lesion=True).image)
    words = ("-i", source, "-o", out, "--save", "filled", *MARKED, *home_flags(trained_home))
    assert miniature.run("predict", *words) == 0
    assert "p_0000_filled.nii.gz" in names(out) and "p_0000_phi.nii.gz" not in names(out)
    read = lambda path: sitk.GetArrayFromImage(sitk.ReadImage(str(path)))  # noqa: E731
    scan, filled = read(source / "p.nii.gz"), read(out / "p_0000_filled.nii.gz")
    mask = read(out / "p.nii.gz") > 0
    assert mask.any() and np.abs(filled - scan)[mask].mean() > 1
    np.testing.assert_array_equal(filled[~mask], scan[~mask])  # voxels are wider than the edge


def test_label_tables_name_each_class(
    ship: Callable[[], Path], miniature: Any, tmp_path: Path
) -> None:
    model = ship()
    classes = json.loads((model / "model.json").read_text())["plans"]["classes"]
    miniature.write(tmp_path / "in" / "p.nii.gz", miniature.brain(7).image)
    words = ("-i", tmp_path / "in", "-o", tmp_path / "out", "-m", model, "--save", "anatomy")
    assert miniature.run("predict", *words, *home_flags(tmp_path)) == 0
    slicer = (tmp_path / "out" / "anatomy_labels.ctbl").read_text().splitlines()
    rows = [line.split() for line in slicer if not line.startswith("#")]
    assert [row[:2] for row in rows[1:]] == [[str(i + 1), n] for i, n in enumerate(classes)]
    assert rows[0][:2] == ["0", "background"] and all(len(row) == 6 for row in rows)
    snap = (tmp_path / "out" / "anatomy_labels_itksnap.txt").read_text().splitlines()
    parts = [line.split('"') for line in snap if not line.startswith("#")]
    assert [part[1] for part in parts[1:]] == list(classes)
    assert all(len(part[0].split()) == 7 for part in parts)
    colours = {tuple(part[0].split()[1:4]) for part in parts}
    assert len(colours) == len(classes) + 1


@pytest.fixture
def two_grids(miniature: Any, tmp_path: Path) -> Path:
    """T1 and FLAIR of one brain, on grids of their own, and in places of their own."""
    t1, flair = (miniature.brain(7, look, lesion=True, **FINE).image for look in ("t1", "flair"))
    folder = tmp_path / "in"
    miniature.write(folder / "p_0000.nii.gz", t1, FINE["spacing"])
    moved = {"turn_deg": 5.0, "origin": (-76.0, -101.0, -66.0)}
    miniature.write(folder / "p_0001.nii.gz", flair[1:-1], FINE["spacing"], **moved)
    return folder


def test_other_grids_are_registered_on_request_alone(
    miniature: Any, trained_home: Path, two_grids: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("-i", two_grids, "-o", out, *home_flags(trained_home))
    assert miniature.run("predict", *words) == 1
    assert "predict with --register" in table(out)["p"]["message"]
    assert miniature.run("predict", *words, "--register", "anatomy") == 2  # nothing ships
    assert miniature.run("predict", *words, "--register") == 0
    row = table(out)["p"]
    assert row["status"] == "ok" and row["channels"] == "0 1"
    assert row["registration"].startswith("channel 1: ")
    assert json.loads((out / "prediction.json").read_text())["register"] == "intensity"
    first, phi = (
        sitk.ReadImage(str(path))
        for path in (two_grids / "p_0000.nii.gz", out / "p_0001_phi.nii.gz")
    )
    assert phi.GetSize() == first.GetSize()
    np.testing.assert_allclose(phi.GetOrigin(), first.GetOrigin(), atol=1e-4)


def test_names_of_channels_are_recorded(
    miniature: Any, trained_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for number, look in enumerate(("flair", "t1")):
        miniature.write(source / f"p_000{number}.nii.gz", miniature.brain(7, look).image)
    words = ("predict", "-i", source, "-o", out, *home_flags(trained_home))
    for wrong, told in ((("FLAIR",), "1 names"), (("T1", "t1"), "of its own")):
        assert miniature.run(*words, "--channels", *wrong) == 2
        assert told in capfd.readouterr().err
    assert miniature.run(*words, "--channels", "FLAIR", "T1") == 0
    assert table(out)["p"]["channel_names"] == "FLAIR T1"
    assert json.loads((out / "prediction.json").read_text())["channel_names"] == ["FLAIR", "T1"]
