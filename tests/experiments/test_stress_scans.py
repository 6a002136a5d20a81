"""A case as it is and degraded: grids, masks, chance, and what is judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.errors import DatasetError
from disanat.experiments.stress_kinds import DEGRADATIONS, Degradation, chosen
from disanat.experiments.stress_scans import StressScan, degrade, judge, look_up, untouched
from disanat.inference.predictor import Predictor
from disanat.io.cases import Case
from disanat.io.images import canonical_frame

KINDS = {one.name: one for one in DEGRADATIONS}


def looked_up(
    miniature: Any, folder: Path, orientation: str = "LPS", **more: Any
) -> StressScan:
    brain = miniature.brain(3, "flair", lesion=True)
    other = miniature.brain(3, "t1")
    miniature.write(folder / "a_0000.nii.gz", brain.image, orientation=orientation)
    miniature.write(folder / "a_0001.nii.gz", other.image, orientation=orientation)
    label = folder / "labels" / "a.nii.gz"
    miniature.write(label, brain.lesion.astype(np.uint8), orientation=orientation)
    channels = {0: folder / "a_0000.nii.gz", 1: folder / "a_0001.nii.gz"}
    return look_up(Case("a", channels), "extractor", label=label, **more)


@pytest.fixture
def scan(miniature: Any, tmp_path: Path) -> StressScan:
    return looked_up(miniature, tmp_path, guide=1)


@pytest.fixture(scope="module")
def predictor(taught_model: Path) -> Predictor:
    return Predictor.from_folder(taught_model)


def test_every_degradation_has_five_strengths_but_inversion_and_gets_stronger(
    scan: StressScan,
) -> None:
    for kind in DEGRADATIONS:
        assert len(kind.strengths) == (1 if kind.name == "inverted" else 5)
    for name in ("cartesian", "radial", "off_resonance", "ghosts", "low_field", "slices"):
        found = [degrade(scan, KINDS[name], s) for s in KINDS[name].strengths[::2]]
        original = scan.scans[0].array[scan.brain]
        like = [np.corrcoef(original, one.fine[0][scan.brain])[0, 1] for one in found]
        assert like[0] > like[2] + 0.01, name


def test_what_was_stripped_stays_so(scan: StressScan) -> None:
    for kind in DEGRADATIONS:
        if kind.name in ("cartesian", "ghosts", "low_field", "inverted", "slices_restored"):
            shown = degrade(scan, kind, kind.strengths[-1])
            assert not shown.scans[0].array[~scan.brain].any(), kind.name
            assert (shown.brain.array > 0)[scan.brain].all()


def test_chance_comes_from_seed_case_and_kind(scan: StressScan) -> None:
    kind = KINDS["low_field"]
    first = degrade(scan, kind, 10.0, seed=1).fine[0]
    assert (degrade(scan, kind, 10.0, seed=1).fine[0] == first).all()
    assert (degrade(scan, kind, 10.0, seed=2).fine[0] != first).any()
    assert (degrade(replace(scan, case="b"), kind, 10.0, seed=1).fine[0] != first).any()


def test_both_reconstructions_see_the_same_lines(
    scan: StressScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def spy(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
        seen.extend([kspace, mask])
        return np.abs(kspace)

    for name in ("zero_filled", "total_variation"):
        monkeypatch.setattr(f"disanat.experiments.stress_kinds.{name}", spy)
    for name in ("cartesian", "cartesian_tv"):
        degrade(scan, KINDS[name], 4.0)
    assert (seen[0] == seen[2]).all() and (seen[1] == seen[3]).all()


@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_thick_slices_lie_where_the_fine_ones_lay(
    miniature: Any, tmp_path: Path, orientation: str
) -> None:
    scan = looked_up(miniature, tmp_path, orientation)
    shown = degrade(scan, KINDS["slices"], 8.0)  # of 4 mm
    thick, fine = shown.scans[0], scan.scans[0]
    assert thick.spacing == (8.0, 4.0, 4.0) and thick.array.shape == (20, 48, 40)
    assert np.allclose(thick.array, (fine.array[::2] + fine.array[1::2]) / 2, atol=1e-4)
    new, old = canonical_frame(thick.geometry), canonical_frame(fine.geometry)
    at = np.array(new.TransformIndexToPhysicalPoint((5, 6, 7)))
    between = [old.TransformIndexToPhysicalPoint((5, 6, s)) for s in (14, 15)]
    assert np.allclose(at, np.mean(between, axis=0))
    assert shown.fine[0].shape == fine.array.shape
    assert set(shown.scans) == {0, 1}


def test_slices_no_thicker_than_the_scans_are_the_scan(scan: StressScan) -> None:
    shown = degrade(scan, KINDS["slices"], 4.0)
    assert shown.back is None and (shown.scans[0].array == scan.scans[0].array).all()


def test_the_guide_restores_and_is_not_predicted(scan: StressScan) -> None:
    assert set(scan.scans) == {0} and scan.guide is not None
    plain, restored = (degrade(scan, KINDS[n], 8.0) for n in ("slices", "slices_restored"))
    assert set(restored.scans) == {0} and restored.back is None
    truth = scan.scans[0].array[scan.brain]

    def error(array: np.ndarray) -> float:
        return float(np.abs(array[scan.brain] - truth).mean())

    assert error(restored.fine[0]) < 0.95 * error(plain.fine[0])


def test_other_units_change_nothing_and_noise_does(
    scan: StressScan, predictor: Predictor
) -> None:
    first, anatomy = judge(scan, untouched(scan), predictor, "untouched", 0.0)
    assert first.anatomy_dice is None and first.likeness == pytest.approx(1)
    assert not first.healthy and first.average_precision is not None
    assert anatomy is not None and anatomy.shape == scan.brain.shape
    same, _ = judge(
        scan, degrade(scan, KINDS["scale"], 1000.0), predictor, "scale", 1000.0, anatomy
    )
    assert same.anatomy_dice == pytest.approx(1, abs=0.01)
    assert same.average_precision == pytest.approx(first.average_precision, abs=0.01)
    noisy, _ = judge(
        scan, degrade(scan, KINDS["low_field"], 20.0), predictor, "low_field", 20.0, anatomy
    )
    assert noisy.likeness is not None and noisy.likeness < 0.95
    assert noisy.anatomy_dice is not None and noisy.anatomy_dice < 0.95


def test_thick_slices_are_judged_on_the_fine_grid(
    scan: StressScan, predictor: Predictor
) -> None:
    _, anatomy = judge(scan, untouched(scan), predictor, "untouched", 0.0)
    shown = degrade(scan, KINDS["slices"], 8.0)
    found, seen = judge(scan, shown, predictor, "slices", 8.0, anatomy)
    assert seen is not None and seen.shape == scan.brain.shape
    assert found.anatomy_dice is not None and 0.3 < found.anatomy_dice < 1
    assert found.likeness is not None and 0.8 < found.likeness < 1
    assert found.false_positive_ml is not None and found.false_positive_ml >= 0


def test_a_label_on_another_grid(miniature: Any, tmp_path: Path) -> None:
    image = miniature.brain(1).image
    miniature.write(tmp_path / "a.nii.gz", image)
    miniature.write(tmp_path / "l.nii.gz", np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(DatasetError, match="l.nii.gz lies on another grid than .*a.nii.gz"):
        look_up(Case("a", {0: tmp_path / "a.nii.gz"}), "extractor", label=tmp_path / "l.nii.gz")


def test_a_guide_needs_company(miniature: Any, tmp_path: Path) -> None:
    miniature.write(tmp_path / "a_0001.nii.gz", miniature.brain(1).image)
    with pytest.raises(DatasetError, match="has channel 1 alone"):
        look_up(Case("a", {1: tmp_path / "a_0001.nii.gz"}), "extractor", guide=1)


def test_a_whole_head_keeps_what_is_around_the_brain(miniature: Any, tmp_path: Path) -> None:
    head, inside = miniature.head(2)
    miniature.write(tmp_path / "a.nii.gz", head)
    miniature.write(tmp_path / "m.nii.gz", inside.astype(np.uint8))
    scan = look_up(Case("a", {0: tmp_path / "a.nii.gz"}), "extractor", tmp_path / "m.nii.gz")
    assert (scan.brain == inside).all() and not scan.lesion.any()
    shown = degrade(scan, KINDS["ghosts"], 4.0)
    assert shown.scans[0].array[~inside].std() > head[~inside].std()
    mask = sitk.GetImageFromArray(shown.brain.array)
    assert mask.GetSize() == (40, 48, 40)


def test_names() -> None:
    assert [one.name for one in chosen(None, restore=False)] == [
        one.name for one in DEGRADATIONS if one.name != "slices_restored"
    ]
    some = chosen(["slices", "ghosts"], restore=True)
    assert [one.name for one in some] == ["ghosts", "slices", "slices_restored"]
    with pytest.raises(DatasetError, match="no degradation 'blur': give --only some of cartesian"):
        chosen(["blur"], restore=False)
    with pytest.raises(DatasetError, match="add slices to --only"):
        chosen(["ghosts"], restore=True)
    kind: Degradation = KINDS["cartesian_tv"]
    assert kind.title == "Cartesian undersampling, total variation" and kind.text(4.0) == "4x"
