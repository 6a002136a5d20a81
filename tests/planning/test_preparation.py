"""Which steps of preparation a plan takes, and what it says about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from disanat.errors import PlanError
from disanat.plans import ChannelFingerprint, Fingerprint, Plans, load_json
from disanat.preparation import Preparation
from planning.cli import main
from planning.planner import Overrides
from planning.preparation import plan_preparation
from planning.reasons import about_bias, about_intensities, about_resampling

SPACING = (2.0, 2.0, 2.0)


def channel(name: str, *percentiles: float, cases: int = 3) -> ChannelFingerprint:
    return ChannelFingerprint(name, cases, percentiles, 0.05, 0.1, 0.12, 0.2, SPACING, False)


def fingerprint(*channels: ChannelFingerprint) -> Fingerprint:
    names = tuple(c.name for c in channels)
    return Fingerprint(
        "Dataset005_IXI", names, (), SPACING, (70, 92, 72), True, True, channels=channels
    )


T1 = channel("T1", 1, 100, 200, 300, 400)
T2 = channel("T2", 1, 200, 400, 600, 900)


def test_as_disanat_does_it() -> None:
    assert plan_preparation(fingerprint(T1), False, False, True) == Preparation()


def test_one_scale_is_that_of_all_channels() -> None:
    empty = channel("FLAIR", 0, 0, 0, 0, 0, cases=0)
    steps = plan_preparation(fingerprint(T1, T2, empty), True, True, False)
    assert steps.bias_correction and not steps.resampling
    assert steps.fixed_scale == (300, pytest.approx(300 / 1.349))


@pytest.mark.parametrize("channels", [(), (channel("T1", 5, 5, 5, 5, 5),)])
def test_no_scale_without_spread(channels: tuple[ChannelFingerprint, ...]) -> None:
    with pytest.raises(PlanError, match="without --standardisation dataset"):
        plan_preparation(fingerprint(*channels), False, True, True)


def test_each_step_has_its_reason() -> None:
    found = fingerprint(T1, T2)
    usual, other = Preparation(), Preparation(True, (300.0, 222.4), False)
    assert about_bias(found, usual).value == "left in"
    assert "vary by 0.12 in log" in about_bias(found, usual).reason
    assert len(about_intensities(found, usual)) == 2
    assert about_resampling(found, SPACING, usual).value.startswith("scans by cubic splines")
    [scale] = about_intensities(found, other)
    said = [about_bias(found, other), scale, about_resampling(found, SPACING, other)]
    assert [d.value for d in said] == [
        "taken out by N4",
        "minus 300, over 222.4, for all scans",
        "none: each scan keeps its voxels",
    ]
    assert all("set by you" in d.reason for d in said)


def test_the_command_plans_them(miniature: Any, tmp_path: Path) -> None:
    miniature.dataset(tmp_path)
    command = ["-d", "5", "--home", str(tmp_path), "-np", "0", "--no_pp"]
    assert main([*command, "--bias_correction", "--standardisation", "dataset"]) == 0
    [source] = tmp_path.glob("preprocessed/*/plans.json")
    plans = load_json(source, Plans)
    assert plans.preparation.bias_correction and plans.preparation.resampling
    assert plans.preparation.fixed_scale is not None
    assert plans.overridden == ("bias_correction n4", "standardisation dataset")
    assert main([*command, "--no_resampling"]) == 0
    assert load_json(source, Plans).preparation == Preparation(resampling=False)
    assert main(command) == 0
    assert load_json(source, Plans).preparation == Preparation()


def test_overrides_are_named() -> None:
    assert Overrides().described(8.0) == ()
    assert Overrides(resampling=False).described(8.0) == ("resampling none",)
