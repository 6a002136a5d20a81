from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.image import imread

from disanat.errors import DatasetError
from disanat.reporting import panels
from disanat.reporting.panels import PanelRow, case_panel, set_panel

SHAPE = (6, 40, 36)
SPACING = (1.0, 1.0, 5.0)


def save(array: np.ndarray, path: Path) -> None:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def row(tmp_path: Path) -> PanelRow:
    rng = np.random.default_rng(0)
    brain = np.zeros(SHAPE, np.uint8)
    brain[1:5, 5:35, 5:30] = 1
    lesion = np.zeros(SHAPE, np.uint8)
    lesion[3, 20:26, 18:24] = 1
    phi = (brain * (100 + rng.normal(0, 5, SHAPE))).astype(np.float32)
    save(phi + 80 * lesion, tmp_path / "scan.nii.gz")
    save(lesion, tmp_path / "truth.nii.gz")
    out = tmp_path / "out"
    out.mkdir()
    save(phi, out / "a_0002_phi.nii.gz")
    save((lesion * 2.0 + 0.1 * brain).astype(np.float32), out / "a_anomaly.nii.gz")
    save(lesion, out / "a.nii.gz")
    save(brain, out / "a_brainmask.nii.gz")
    (out / "prediction.json").write_text(json.dumps({"threshold": 1.0}))
    return PanelRow(tmp_path / "scan.nii.gz", out, "a", 2, tmp_path / "truth.nii.gz", "case a")


def draw(row: PanelRow, target: Path, label: Path | None) -> np.ndarray:
    case_panel(row.scan, row.predictions, row.case, row.channel, label, target, row.title)
    return np.asarray(imread(target))


def test_case_panel_has_five_columns_with_truth_and_four_without(
    row: PanelRow, tmp_path: Path
) -> None:
    with_truth = draw(row, tmp_path / "pictures" / "a.png", row.label)
    without = draw(row, tmp_path / "pictures" / "b.png", None)
    assert with_truth.shape[0] == without.shape[0] > 400
    assert with_truth.shape[1] == pytest.approx(without.shape[1] * 5 / 4, rel=0.02)


def test_mask_is_red_and_truth_green(row: PanelRow, tmp_path: Path) -> None:
    image = draw(row, tmp_path / "a.png", row.label)[..., :3]
    columns = np.array_split(image, 5, axis=1)
    red = [int(((c[..., 0] > c[..., 1] + 0.3) & (c[..., 2] > 0.1)).sum()) for c in columns]
    green = [int((c[..., 1] > c[..., 0] + 0.2).sum()) for c in columns]
    assert red[3] > 50
    assert green[4] > 50
    assert red[0] == red[1] == green[0] == green[1] == green[3] == 0


def test_planes_go_through_the_lesion(row: PanelRow) -> None:
    volumes = panels._load(row)
    assert volumes.truth is not None
    assert volumes.truth[panels._focus(volumes)]
    assert volumes.brightest == 2.0


def test_thick_slices_are_drawn_thick() -> None:
    spacing = (5.0, 1.0, 0.5)
    assert [panels._aspect(plane, spacing) for plane in range(3)] == [2.0, 10.0, 5.0]


def test_anterior_and_superior_are_up() -> None:
    volume = np.arange(24).reshape(2, 3, 4)
    assert panels._cut(volume, 0, 1)[0, 0] == volume[1, 0, 0]
    assert panels._cut(volume, 1, 2)[0, 0] == volume[1, 2, 0]


def test_a_missed_lesion_decides_the_planes_all_the_same(row: PanelRow) -> None:
    anomaly = np.zeros(SHAPE, np.float32)
    anomaly[1, 8, 8] = 9.0
    save(anomaly, row.predictions / "a_anomaly.nii.gz")
    volumes = panels._load(row)
    assert volumes.truth is not None
    assert volumes.truth[panels._focus(volumes)]


def test_overview_grows_by_a_row_a_case(row: PanelRow, tmp_path: Path) -> None:
    heights = []
    for count in (1, 3):
        set_panel([row] * count, tmp_path / f"{count}.png", "all of them")
        heights.append(imread(tmp_path / f"{count}.png").shape[0])
    assert heights[1] > 2 * heights[0]
    with pytest.raises(DatasetError, match="would show no case"):
        set_panel([], tmp_path / "none.png", "none")


def test_other_grid_is_an_error(row: PanelRow, tmp_path: Path) -> None:
    save(np.random.default_rng(0).random((3, 4, 5)).astype(np.float32), row.scan)
    with pytest.raises(DatasetError, match="another grid"):
        draw(row, tmp_path / "a.png", row.label)
    assert not (tmp_path / "a.png").exists()
