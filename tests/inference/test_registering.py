"""Channels brought together by what a shipped encoder sees in them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from disanat.anatomy.anatomy_registration import distance_mm
from disanat.anatomy.rigid import NotRegisteredError
from disanat.errors import DatasetError, ImageError, ModelError
from disanat.inference.registering import matrix_of, placing, usual_route
from disanat.io.cases import Case
from disanat.io.images import Scan, read_scan
from disanat.preprocessing.alignment import read_aligned

Ship = Callable[[], Path]
SHIPPED = Path(__file__).parents[2] / "disanat" / "pretrained" / "dal"
FINE = {"shape": (60, 72, 60), "spacing": (2.7, 2.7, 2.7)}
AWAY = {"turn_deg": 8.0, "origin": (-62.0, -113.0, -66.0)}


@pytest.fixture
def scans(miniature: Any, tmp_path: Path) -> dict[str, Scan]:
    """One brain as it is, put elsewhere, and mirrored there; and another brain."""
    one = miniature.brain(7, **FINE).image
    kinds = {
        "own": (one, {}),
        "away": (miniature.brain(7, noise=6.0, **FINE).image, AWAY),
        "mirrored": (one[:, :, ::-1], AWAY),
        "other": (miniature.brain(11, **FINE).image, AWAY),
    }
    for name, (image, moved) in kinds.items():
        miniature.write(tmp_path / f"{name}.nii.gz", image, FINE["spacing"], **moved)
    return {name: read_scan(tmp_path / f"{name}.nii.gz") for name in kinds}


def truth(scan: Scan, moved: Scan) -> np.ndarray:
    """(4, 4): by the two headers, from a voxel's place in one file to its place in the other."""
    ours, theirs = (sitk.ReadImage(str(one.path)) for one in (scan, moved))
    matrix = np.eye(4)
    turn = np.reshape(theirs.GetDirection(), (3, 3)) @ np.reshape(ours.GetDirection(), (3, 3)).T
    matrix[:3, :3] = turn
    matrix[:3, 3] = theirs.GetOrigin() - turn @ np.array(ours.GetOrigin())
    return matrix


@pytest.mark.parametrize("route", ["anatomy", "both"])
def test_a_wrong_place_is_put_right(ship: Ship, scans: dict[str, Scan], route: Any) -> None:
    ship()
    placed = placing(route)(scans["own"], scans["away"])
    wanted = truth(scans["own"], scans["away"])
    places = np.random.default_rng(0).uniform(-60, 60, (50, 3))
    assert distance_mm(np.eye(4), wanted, places) > 10
    assert distance_mm(matrix_of(placed.transform), wanted, places) < FINE["spacing"][0] / 2
    assert placed.agreement_before is not None and placed.agreement_after is not None
    assert placed.agreement_after > placed.agreement_before + 0.1
    assert (placed.information_after is None) == (route == "anatomy")


def test_a_mirrored_channel_is_refused_where_a_model_ships(
    ship: Ship, scans: dict[str, Scan]
) -> None:
    placing("intensity")(scans["own"], scans["mirrored"])  # nothing ships: nobody notices
    ship()
    for route in ("both", "intensity"):
        with pytest.raises(NotRegisteredError, match="one of them is mirrored"):
            placing(route)(scans["own"], scans["mirrored"])  # type: ignore[arg-type]
    paths = {0: scans["own"].path, 1: scans["mirrored"].path}
    with pytest.raises(ImageError, match="mirrored.*leave one of them out"):
        read_aligned(Case("p", paths), placing("anatomy"))


def test_a_low_agreement_is_warned_of(
    ship: Ship,
    scans: dict[str, Scan],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ship()
    place, bound = placing("intensity"), f"{placing.__module__}.LEAST_AGREEMENT"
    reached = place(scans["own"], scans["away"]).agreement_after
    assert reached is not None and reached > 0.5
    for least, warned in ((reached - 0.05, False), (reached + 0.05, True)):
        monkeypatch.setattr(bound, least)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            place(scans["own"], scans["away"])
        assert len(caplog.messages) == warned
    [told] = caplog.messages
    assert "may show two people" in told and str(scans["away"].path) in told


def test_another_person_is_warned_of(
    real_data: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("disanat.inference.bundled.bundled_folder", lambda: SHIPPED)
    folder = real_data / "elderly_t1_flair"
    t1 = read_scan(folder / "t1" / "Subj01_T1.nii.gz")
    place = placing("anatomy")
    with caplog.at_level(logging.WARNING):
        own = place(t1, read_scan(folder / "fl" / "Subj01_FL.nii.gz")).agreement_after
        assert not caplog.messages
        other = place(t1, read_scan(folder / "fl" / "Subj02_FL.nii.gz")).agreement_after
    [told] = caplog.messages
    assert "may show two people" in told and "Subj02" in told
    assert own is not None and other is not None and own > other + 0.03


def test_without_a_shipped_model_intensity_is_what_there_is(ship: Ship) -> None:
    assert usual_route() == "intensity"
    with pytest.raises(ModelError, match="--register intensity"):
        placing("anatomy")
    ship()
    assert usual_route() == "both"


def test_an_unknown_route_is_one_sentence() -> None:
    with pytest.raises(DatasetError, match="no route: give both, anatomy, intensity or None"):
        placing(True)  # type: ignore[arg-type]


def test_an_inverted_contrast_does_not_matter(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("disanat.inference.bundled.bundled_folder", lambda: SHIPPED)
    source = real_data / "elderly_t1_flair" / "t1" / "Subj01_T1.nii.gz"
    image = sitk.ReadImage(str(source), sitk.sitkFloat32)
    head = sitk.Cast(sitk.OtsuThreshold(image, 0, 1), sitk.sitkFloat32)
    inverted = (sitk.Abs(image * -1 + 1500) + 100) * head
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.3, -0.2, 0.25, (15.0, -20.0, 10.0))
    matrix = np.reshape(turn.GetMatrix(), (3, 3))
    inverted.SetDirection((matrix @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    inverted.SetOrigin(turn.TransformPoint(image.GetOrigin()))
    sitk.WriteImage(inverted, str(tmp_path / "inverted.nii.gz"))
    placed = placing("anatomy")(read_scan(source), read_scan(tmp_path / "inverted.nii.gz"))
    places = np.random.default_rng(0).uniform(-60, 60, (50, 3))
    assert distance_mm(matrix_of(placed.transform), matrix_of(turn), places) < 1.0
