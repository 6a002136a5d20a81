"""Prediction of cases from Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

import disanat
from disanat.errors import DatasetError, ImageError
from disanat.inference.folder import predict_folder
from disanat.inference.inputs import select_channels
from disanat.inference.predictor import Predictor
from disanat.inference.preparation import prepare_case
from disanat.io.cases import Case
from disanat.io.images import read_scan
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.mask import MaskRule, told_rules


class TorchioLike(dict):
    """TorchIO's images are dicts, but no channels of a case."""

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path))

    def as_sitk(self) -> sitk.Image:
        return sitk.ReadImage(self["path"])


@pytest.fixture
def predictor(trained_home: Path) -> Predictor:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    return disanat.Predictor.from_folder(folder)


def test_preparation_crops_standardises_and_finds_the_way_back(
    miniature: Any, tmp_path: Path
) -> None:
    brain = miniature.brain(3)
    miniature.write(tmp_path / "x.nii.gz", brain.image)
    scan = read_scan(tmp_path / "x.nii.gz")
    prepared = prepare_case({2: scan}, (2.0, 4.0, 5.0))
    channel, inside = prepared.channels[2], prepared.brain
    assert (inside == (brain.labels > 0)).mean() > 0.999
    assert channel.native.shape == prepared.brain[prepared.box].shape
    expected = [round(n * 4 / t) for n, t in zip(channel.native.shape, (2.0, 4.0, 5.0))]
    assert list(channel.image.shape) == expected == list(channel.brain.shape)
    assert (channel.image[~channel.brain] == OUTSIDE).all()
    assert (channel.native[~channel.native_brain] == OUTSIDE).all()
    volumes = channel.brain.sum() * 2.0 * 4 * 5, inside.sum() * 64.0
    assert volumes[0] == pytest.approx(volumes[1], rel=0.02)
    back = prepared.whole(prepared.scales[2].restore(channel.native), 0.0)
    within = inside & (prepared.whole(channel.native, 0.0) > -4)
    np.testing.assert_allclose(back[within], brain.image[within], rtol=1e-4, atol=1e-2)
    assert prepared.background == {2: 0.0}
    assert prepared.brain_ml == pytest.approx(inside.sum() * 0.064)


def test_predict_takes_a_path(predictor: Predictor, miniature: Any, tmp_path: Path) -> None:
    brain = miniature.brain(7, "flair", lesion=True)
    miniature.write(tmp_path / "x.mha", brain.image, orientation="PSR")
    prediction = predictor.predict(str(tmp_path / "x.mha"))
    assert prediction.mask.shape == brain.labels.shape
    top = prediction.anomaly >= np.sort(prediction.anomaly[brain.lesion])[0]
    assert 2 * (top & brain.lesion).sum() / (top.sum() + brain.lesion.sum()) > 0.95
    assert prediction.lesion_ml == pytest.approx(prediction.mask.sum() * 0.064)
    with pytest.raises(ImageError, match="nowhere.nii does not exist"):
        predictor.predict("nowhere.nii")


def test_a_kind_of_contrast_may_have_a_mask_by_other_rules(
    predictor: Predictor, miniature: Any
) -> None:
    brain = miniature.brain(7, "flair", lesion=True)
    scans = {n: miniature.brain(7, kind, lesion=True) for n, kind in ((0, "flair"), (1, "t1"))}
    rules = {"any": MaskRule(0.5, 1.5), "any any": MaskRule(0.75)}
    calibration = replace(predictor.model.calibration, own_rules=rules)
    own = Predictor(replace(predictor.model, calibration=calibration))
    found = own.predict(brain.image, spacing=brain.spacing)
    assert (found.threshold, found.peak_threshold) == (0.5, 1.5)
    np.testing.assert_array_equal(found.mask, MaskRule(0.5, 1.5)(found.anomaly, found.brain))
    both = own.predict({n: b.image for n, b in scans.items()}, spacing=brain.spacing)
    assert (both.threshold, both.peak_threshold) == (0.75, None)
    wanted = Predictor(own.model, threshold=2.0).predict(brain.image, spacing=brain.spacing)
    assert (wanted.threshold, wanted.peak_threshold) == (2.0, None)
    common = own.mask_rule
    assert own.told_mask_rules() == told_rules(common, rules)
    assert Predictor(own.model, threshold=2.0).told_mask_rules() == "2.00"


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_predict_takes_an_image_or_an_array(
    predictor: Predictor, miniature: Any, tmp_path: Path, orientation: str
) -> None:
    brain = miniature.brain(7, "flair", lesion=True)
    path = tmp_path / "x.nii.gz"
    miniature.write(path, brain.image, orientation=orientation)
    wanted = predictor.predict(path)
    found = {
        "sitk": predictor.predict(sitk.ReadImage(str(path))),
        "array": predictor.predict(brain.image, spacing=brain.spacing),
        "dict": predictor.predict({0: path}),
        "TorchIO": predictor.predict(TorchioLike(path)),
    }
    for one in found.values():
        np.testing.assert_allclose(one.anomaly, wanted.anomaly, atol=1e-5)
        assert one.case_score == pytest.approx(wanted.case_score, abs=1e-5)
    assert found["sitk"].geometry == wanted.geometry
    mapped = wanted.as_image(wanted.anomaly)
    scan = sitk.ReadImage(str(path))
    assert mapped.GetDirection() == scan.GetDirection() and mapped.GetOrigin() == scan.GetOrigin()
    wanted.save(str(tmp_path / "out"), "x")
    written = sitk.ReadImage(str(tmp_path / "out" / "x_anomaly.nii.gz"))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(mapped), sitk.GetArrayFromImage(written)
    )
    assert wanted.as_image(wanted.mask).GetPixelID() == sitk.sitkUInt8
    with pytest.raises(ImageError, match="does not fit its scan"):
        wanted.as_image(wanted.anomaly[1:])


def test_a_mask_of_ones_own_in_any_form(
    predictor: Predictor, miniature: Any, tmp_path: Path
) -> None:
    brain = miniature.brain(7)
    mask = brain.labels > 0
    mask[: len(mask) // 2] = False  # half a brain: so small that no brain is found by itself
    mask[len(mask) // 2] = brain.labels[len(mask) // 2] > 0
    miniature.write(tmp_path / "x.nii.gz", brain.image)
    miniature.write(tmp_path / "mask.nii.gz", mask.astype(np.uint8))
    by_file = predictor.predict(tmp_path / "x.nii.gz", tmp_path / "mask.nii.gz")
    by_image = predictor.predict(
        tmp_path / "x.nii.gz", sitk.ReadImage(str(tmp_path / "mask.nii.gz"))
    )
    by_array = predictor.predict(brain.image, mask, brain.spacing)
    for one in (by_file, by_image, by_array):
        np.testing.assert_array_equal(one.brain, mask)


def test_channels_in_memory_lie_on_one_grid(predictor: Predictor, miniature: Any) -> None:
    brain = miniature.brain(8)
    both = predictor.predict({0: brain.image, 3: brain.image}, spacing=brain.spacing)
    assert set(both.phi) == {0, 3}
    with pytest.raises(DatasetError, match="different grids"):
        predictor.predict({0: brain.image, 1: brain.image[1:]}, spacing=brain.spacing)
    with pytest.raises(DatasetError, match="at least one scan"):
        predictor.predict({})


def test_channels_are_averaged(predictor: Predictor, miniature: Any, tmp_path: Path) -> None:
    for channel, look in enumerate(("t1", "flair")):
        brain = miniature.brain(8, look, lesion=True)
        miniature.write(tmp_path / f"x_000{channel}.nii.gz", brain.image)
    files = {k: tmp_path / f"x_000{k}.nii.gz" for k in (0, 1)}
    alone = [predictor.predict_case(Case("x", {k: files[k]})).anomaly for k in (0, 1)]
    both = predictor.predict_case(Case("x", files))
    np.testing.assert_allclose(both.anomaly, np.mean(alone, 0), atol=1e-5)
    assert set(both.phi) == {0, 1}
    both.save(tmp_path / "out", "x")
    assert (tmp_path / "out" / "x_0001_phi.nii.gz").exists()


def test_channels_can_be_chosen() -> None:
    cases = [Case("a", {0: Path("a0"), 2: Path("a2")}), Case("b", {1: Path("b1")})]
    kept = select_channels(cases, [2])
    assert [dict(c.channels) for c in kept] == [{2: Path("a2")}, {}]
    assert select_channels(cases, None) == cases
    with pytest.raises(DatasetError, match="No case has a channel 7: .*0, 1, 2"):
        select_channels(cases, [7])


def test_a_case_without_the_chosen_channel_fails_alone(
    predictor: Predictor, miniature: Any, tmp_path: Path
) -> None:
    image = miniature.brain(9).image
    miniature.write(tmp_path / "in" / "a_0000.nii.gz", image)
    miniature.write(tmp_path / "in" / "b_0001.nii.gz", image)
    rows = predict_folder(predictor, tmp_path / "in", tmp_path / "out", channels=[1])
    assert [(r.case, r.status, r.channels) for r in rows] == [("a", "failed", ""), ("b", "ok", "1")]
    assert "Case a has none of the channels" in rows[0].message
    assert not list((tmp_path / "out").glob("a*.nii.gz"))


def test_input_and_output_must_differ(predictor: Predictor, miniature: Any, tmp_path: Path) -> None:
    miniature.write(tmp_path / "a.nii.gz", miniature.brain(9).image)
    with pytest.raises(DatasetError, match="is the input folder: give another"):
        predict_folder(predictor, tmp_path, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_the_users_masks_are_taken_where_there_are_any(
    predictor: Predictor,
    miniature: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    brain = miniature.brain(9)
    own = np.zeros(brain.labels.shape, np.uint8)
    own[6:34, 8:40, 6:34] = 1
    for case in "abcd":
        miniature.write(tmp_path / "in" / f"{case}_0000.nii.gz", brain.image)
    masks = tmp_path / "masks"
    miniature.write(masks / "a.nii.gz", own)
    miniature.write(masks / "b_brainmask.nii.gz", own)
    miniature.write(masks / "b.nii.gz", own[1:])  # a lesion mask, say: the longer name wins
    miniature.write(masks / "c.nii.gz", own[1:])
    rows = predict_folder(
        predictor, tmp_path / "in", tmp_path / "out", brain_masks=masks
    )
    assert [row.status for row in rows] == ["ok", "ok", "failed", "ok"]
    assert rows[0].brain_volume_ml == rows[1].brain_volume_ml == round(own.sum() * 0.064, 1)
    assert "c.nii.gz lies on another grid than" in rows[2].message
    assert rows[3].brain_volume_ml != rows[0].brain_volume_ml
    assert [m for m in caplog.messages if "has no mask in" in m] == [
        f"case d has no mask in {masks}: its brain is found as planned."
    ]
    alone = predictor.predict(tmp_path / "in" / "d_0000.nii.gz", masks / "a.nii.gz")
    np.testing.assert_array_equal(alone.brain, own > 0)
    with pytest.raises(DatasetError, match=r"nowhere is not a folder: .*--brain_masks"):
        predict_folder(
            predictor, tmp_path / "in", tmp_path / "out", brain_masks=tmp_path / "nowhere"
        )


def test_a_model_masks_whole_heads_with_the_tool_of_its_plan(
    predictor: Predictor,
    miniature: Any,
    tmp_path: Path,
    fake_tools: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    head, inside = miniature.head(3)
    miniature.write(tmp_path / "in" / "head.nii.gz", head)
    miniature.write(tmp_path / "in" / "stripped.nii.gz", miniature.brain(3).image)
    model = predictor.model
    planned = Predictor(replace(model, plans=replace(model.plans, brain_mask_tool="hd-bet")))
    rows = predict_folder(planned, tmp_path / "in", tmp_path / "out")
    assert [row.status for row in rows] == ["ok", "ok"]
    assert rows[0].brain_volume_ml == pytest.approx(inside.sum() * 0.064, rel=0.01)
    assert fake_tools.read_text().count("hd-bet -i") == 1
    monkeypatch.setenv("PATH", str(tmp_path))
    rows = predict_folder(planned, tmp_path / "in", tmp_path / "out", overwrite=True)
    assert [row.status for row in rows] == ["failed", "ok"]
    assert "hd-bet is not on the PATH: install it" in rows[0].message
    assert not list((tmp_path / "out").glob("head*"))
