"""What healthy scans of another scanner say of a calibration, and the one that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from disanat.errors import DatasetError
from disanat.experiments.site import calibrate_for_site, recalibrate
from disanat.experiments.site_scans import Seen, SiteScan, look_at
from disanat.inference.model import Model, load_model
from disanat.io.cases import Case
from disanat.methods.interface import ChannelResult, Detector, PreparedChannel
from disanat.scoring.calibration import (
    ANY,
    Calibration,
    fit_table,
    fpr_thresholds,
    tail_quantiles,
)
from disanat.scoring.mask import MaskRule

VOXELS = 60_000
SHIFT, SPREAD = 0.4, 1.3


def old_calibration() -> Calibration:
    """Of scores that are normal in healthy brains."""
    scores = np.random.default_rng(0).standard_normal(2_000_000)
    table = fit_table([tail_quantiles(scores)])
    return Calibration(
        {"t1": table, "flair": table, ANY: table},
        threshold=3.0,
        false_positives_ml=0.5,
        dice=0.3,
        fpr_thresholds={"1%": 2.0, "5%": -float(np.log10(0.05))},
        case_scores={"t1": [3.0] * 9, ANY: [3.0] * 9},
        bounds={"noise": (0.0, 0.2), "misfit": (0.0, 0.5)},
    )


def site_scan(
    number: int,
    shift: float = SHIFT,
    spread: float = SPREAD,
    contrast: str = "t1",
    lesion: float = 6.0,
) -> SiteScan:
    rng = np.random.default_rng(100 + number)
    healthy = (shift + spread * rng.standard_normal(VOXELS)).astype(np.float32)
    truth = np.zeros(VOXELS, bool)
    truth[:600] = True
    ill = np.where(truth, healthy + lesion, healthy)
    return SiteScan(
        f"s{number}",
        Seen((contrast,), (healthy,)),
        ((Seen((contrast,), (ill,)), truth),),
        ({"noise": 0.3, "misfit": 0.1},),
        voxel_ml=0.008,
        inside=np.ones((VOXELS // 1000, 25, 40), bool),
    )


@pytest.fixture(scope="module")
def scans() -> list[SiteScan]:
    return [site_scan(number) for number in range(8)]


def test_promises_are_measured_before_and_kept_after(scans: Sequence[SiteScan]) -> None:
    found = recalibrate(old_calibration(), scans)
    one, five, best = found.promises
    for promise, share in ((one, 0.01), (five, 0.05)):
        expected = norm.sf((norm.isf(share) - SHIFT) / SPREAD)
        assert promise.promised == share
        assert promise.before.mean == pytest.approx(expected, rel=0.05)
        assert promise.before.low < promise.before.mean < promise.before.high
        assert promise.after.mean == pytest.approx(share, rel=0.05)
    assert one.old == 2.0 and one.new == pytest.approx(2.0, abs=0.05)
    limit = norm.isf(0.001)
    many = norm.sf((limit - SHIFT) / SPREAD) * VOXELS * 0.008
    assert best.before.mean == pytest.approx(many, rel=0.1) and best.before.mean > 3
    assert best.after.mean <= 1.0 and found.calibration.dice > 0.8
    assert found.rare_before == 8, "their most anomalous millilitre is rarer than the old cases'"
    assert found.flagged_before == 8 and found.scans == 8 and found.contrasts == ("t1",)


def test_new_scans_of_the_site_keep_the_new_promise(scans: Sequence[SiteScan]) -> None:
    new = recalibrate(old_calibration(), scans).calibration
    another = site_scan(50).healthy.rarity(new)
    for name, share in (("1%", 0.01), ("5%", 0.05)):
        limit = new.mask_rule(name, ["t1"]).threshold
        assert np.mean(another >= limit) == pytest.approx(share, rel=0.15)
    assert len(new.case_scores["t1"]) == len(new.case_scores[ANY]) == 8


def test_what_the_site_does_not_show_stays_as_it_was(scans: Sequence[SiteScan]) -> None:
    old = old_calibration()
    new = recalibrate(old, [*scans, site_scan(9, contrast="flair")]).calibration
    assert new.tables["flair"] == old.tables["flair"], "one scan says too little"
    assert new.tables["t1"] != old.tables["t1"]
    assert new.shares == old.shares and new.own_units == old.own_units
    assert new.bounds["misfit"] == pytest.approx((-0.3, 0.5))
    assert new.bounds["noise"] == pytest.approx((0.0, 0.55)), "0.3 is not odd at the site"


def test_rules_of_kinds_that_the_site_shows_are_new(scans: Sequence[SiteScan]) -> None:
    rules = {"t1": MaskRule(9.0), "flair": MaskRule(4.0, 6.0)}
    found = recalibrate(replace(old_calibration(), own_rules=rules), scans)
    new = found.calibration
    assert new.own_rules == {"flair": rules["flair"]}, "all scans are T1: the common rule is theirs"
    best = found.promises[-1]
    assert best.told_old == "3.00; in t1-like scans 9.00"
    assert best.told_new == str(new.mask_rule()) == new.told_rules(kinds=["t1"])
    assert best.before.mean == pytest.approx(0, abs=0.01), "judged by the rule of their kind"
    clear = [site_scan(30 + n, contrast="flair", lesion=20.0) for n in range(8)]
    both = recalibrate(old_calibration(), [*scans, *clear]).calibration
    t1, flair = (both.mask_rule("best", [kind]) for kind in ("t1", "flair"))
    assert both.own_rules and flair.threshold > t1.threshold


def test_a_scan_is_judged_by_a_calibration_that_has_not_seen_it() -> None:
    several = [site_scan(20 + number, spread=1 + 0.2 * number) for number in range(5)]
    found = recalibrate(old_calibration(), several)
    quantiles = [tail_quantiles(scan.healthy.scores[0]) for scan in several]
    unseen = []
    for number, scan in enumerate(several):
        others = [one for place, one in enumerate(quantiles) if place != number]
        table = {"t1": fit_table(others)}
        unseen.append(scan.healthy.rarity(replace(old_calibration(), tables=table)))
    threshold = fpr_thresholds(unseen)["1%"]
    assert found.promises[0].new == pytest.approx(threshold)
    after = np.median([np.mean(rarity >= threshold) for rarity in unseen])
    assert found.promises[0].after.mean == pytest.approx(after)
    seen = [scan.healthy.rarity(found.calibration) for scan in several]
    assert fpr_thresholds(seen)["1%"] != pytest.approx(threshold, rel=0.002)


def test_channels_are_fused_by_their_mean() -> None:
    old = old_calibration()
    scores = np.array([0.0, 3.0], np.float32)
    both = Seen(("t1", "flair"), (scores, np.zeros(2, np.float32)))
    single = old.rarity(scores, "t1"), old.rarity(np.zeros(2, np.float32), "flair")
    np.testing.assert_allclose(both.rarity(old), np.mean(single, axis=0))


class Watched(Detector):
    """Keeps what it is shown."""

    name = "watched"

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        self.shown = [*getattr(self, "shown", []), list(channels)]
        return [ChannelResult(c.native, c.native, "t1") for c in channels]


def test_lesions_lie_in_the_same_place_in_all_channels(
    miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    trained = load_model(folder)
    method = Watched(trained.plans, trained.configuration)
    model = replace(trained, method=method)
    for number, look in enumerate(("t1", "flair")):
        path = tmp_path / f"x_{number:04d}.nii.gz"
        miniature.write(path, miniature.brain(3, look).image)
    case = Case("x", {n: tmp_path / f"x_{n:04d}.nii.gz" for n in (0, 1)})
    found = look_at(case, model, 2, np.random.default_rng(0))
    assert len(method.shown) == 3 and len(found.lesions) == 2
    places = []
    for changed, (seen, truth) in zip(method.shown[1:], found.lesions):
        inside = changed[0].native_brain
        assert truth.shape == seen.scores[0].shape == (inside.sum(),)
        assert truth.sum() * 0.064 >= 0.5
        for before, after in zip(method.shown[0], changed):
            # The scale of a scan moves a little with a lesion; elsewhere one line fits all voxels.
            x, y = before.native[inside], after.native[inside]
            slope, offset = np.polyfit(x[~truth], y[~truth], 1)
            off = np.abs(y - slope * x - offset)
            assert np.median(off[truth]) > 10 * np.quantile(off[~truth], 0.8)
        places.append(np.flatnonzero(truth))
    assert set(places[0]) != set(places[1])


def test_scans_that_cannot_be_used_are_left_out(
    miniature: Any, trained_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_model(trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0")
    scans = tmp_path / "scans"
    for number in range(5):
        miniature.write(scans / f"x{number}.nii.gz", miniature.brain(60 + number).image)
    (scans / "bad.nii.gz").write_bytes(b"no image")
    found = calibrate_for_site(model, scans)
    assert found.scans == 5 and list(found.left_out) == ["bad"]
    assert "case bad is left out" in caplog.text
    assert len(found.calibration.case_scores[ANY]) == 5
    again = calibrate_for_site(model, scans)
    assert again == found, "the same seed, the same calibration"
    (scans / "x4.nii.gz").unlink()
    with pytest.raises(DatasetError, match="holds 4 healthy scans that can be used.* needs 5 at"):
        calibrate_for_site(model, scans)
    with pytest.raises(DatasetError, match="masks is not a folder"):
        calibrate_for_site(model, scans, tmp_path / "masks")


def test_a_model_without_anatomy_gets_lesions_too(
    miniature: Any, trained_home: Path, tmp_path: Path
) -> None:
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    model: Model = load_model(folder)
    miniature.write(tmp_path / "x.nii.gz", miniature.brain(5).image)
    found = look_at(Case("x", {0: tmp_path / "x.nii.gz"}), model, 3, np.random.default_rng(1))
    assert all(truth.any() for _, truth in found.lesions)
