"""Membership inference, on a method that memorises and on one that does not."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from disanat.errors import DatasetError, ModelError
from disanat.experiments.audit import audit, write_audit
from disanat.inference.model import Model, load_model
from disanat.inference.preparation import prepare_case
from disanat.io.cases import find_cases
from disanat.methods.interface import ChannelResult, Detector, PreparedChannel
from disanat.preprocessing.healthy import read_case

MEMBERS, OTHERS = 8, 12
Folders = tuple[Path, Path]
Draw = Callable[..., Folders]


class Rebuilder(Detector):
    """Returns scans it knows with little noise, all others blurred."""

    name = "rebuilder"
    known: frozenset[bytes] = frozenset()

    def predict(self, channels: Sequence[PreparedChannel]) -> list[ChannelResult]:
        return [self._channel(channel) for channel in channels]

    def _channel(self, channel: PreparedChannel) -> ChannelResult:
        scan = channel.native
        if scan.tobytes() in self.known:
            phi = scan + np.random.default_rng(0).normal(0, 0.02, scan.shape)
        else:
            filled = np.where(channel.native_brain, scan, 0)
            phi = gaussian_filter(filled, 1.5)
        return ChannelResult(scan, phi.astype(np.float32), "any")


@pytest.fixture
def model(trained_home: Path) -> Model:
    """Rebuilds nothing from memory."""
    folder = trained_home / "results" / "Dataset005_Mini" / "threshold__2d" / "fold_0"
    loaded = load_model(folder)
    return replace(loaded, method=Rebuilder(loaded.plans, loaded.configuration))


@pytest.fixture
def draw(miniature: Any, tmp_path: Path) -> Draw:
    """Members and others, brains of the same kind."""

    def made(members: int = MEMBERS, others: int = OTHERS) -> Folders:
        folders = tmp_path / "members", tmp_path / "others"
        for number in range(members + others):
            group, prefix = (folders[0], "m") if number < members else (folders[1], "n")
            image = miniature.brain(100 + number).image
            miniature.write(group / f"{prefix}{number}_0000.nii.gz", image)
        return folders

    return made


def memorising(model: Model, members: Path) -> Model:
    method = Rebuilder(model.plans, model.configuration)
    prepared = [
        prepare_case(read_case(case), model.configuration.spacing) for case in find_cases(members)
    ]
    method.known = frozenset(c.native.tobytes() for p in prepared for c in p.channels.values())
    return replace(model, method=method)


def test_a_memory_is_found(model: Model, draw: Draw) -> None:
    folders = draw()
    found = audit(memorising(model, folders[0]), *folders)
    for attack in found.attacks:
        assert attack.area.mean == attack.area.low == 1.0
        assert attack.caught == 1.0
    assert found.verdict.startswith("Members are rebuilt better than the others (plain error: AUC")


def test_without_a_memory_nothing_is_found(model: Model, draw: Draw) -> None:
    found = audit(model, *draw())
    for attack in found.attacks:
        assert attack.area.mean == pytest.approx(0.5, abs=0.25)
        assert attack.area.low < 0.5 < attack.area.high  # type: ignore[operator]
        assert attack.caught is not None and attack.caught < 0.6
    assert found.verdict == (
        "No evidence of memorisation with this attack at this sample size (8 members, 12 others); "
        "it is not a proof of privacy."
    )


def test_others_that_are_rebuilt_better_are_no_memory(model: Model, draw: Draw) -> None:
    members, others = draw()
    found = audit(memorising(model, others), members, others)
    assert [attack.area.mean for attack in found.attacks] == [0, 0]
    assert found.verdict.startswith("The others are rebuilt better than the members")


def test_few_cases_give_no_interval(model: Model, draw: Draw) -> None:
    folders = draw(4, 6)
    found = audit(memorising(model, folders[0]), *folders)
    assert [(a.area.mean, a.area.low, a.caught) for a in found.attacks] == [(1.0, None, None)] * 2
    assert found.verdict.startswith("Too few cases to tell")


def test_files_hold_every_case(model: Model, draw: Draw, tmp_path: Path) -> None:
    folders = draw(5, 6)
    found = audit(model, *folders)
    write_audit(found, model, folders, tmp_path / "out" / "there")
    told = json.loads((tmp_path / "out" / "there" / "audit.json").read_text())
    assert told["schema_version"] == 1 and told["method"] == "rebuilder"
    assert told["verdict"] == found.verdict and len(told["cases"]) == 11
    assert told["attacks"][1]["area"]["low"] == found.attacks[1].area.low
    spacing = np.array(model.configuration.spacing)
    np.testing.assert_allclose(told["band_cycles_per_mm"]["highest"], 0.25 / spacing)
    with (tmp_path / "out" / "there" / "audit.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["case"] for row in rows] == [case.case for case in found.cases]
    assert [float(row["band"]) for row in rows] == [case.band for case in found.cases]
    assert [row["group"] for row in rows] == ["member"] * 5 + ["nonmember"] * 6


def test_the_models_own_list_is_compared(
    model: Model, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    trained = json.loads((model.folder / "model.json").read_text())["facts"]["train_cases"][0]
    members, others = draw(2, 2)
    (members / "m0_0000.nii.gz").rename(members / f"{trained}_0000.nii.gz")
    found = audit(model, members, others)
    assert found.warnings == tuple(caplog.messages) and len(found.warnings) == 1
    assert "does not list m1 among its training cases: check that --members" in found.warnings[0]
    found = audit(model, others, members)
    assert "does not list n2, n3 among" in found.warnings[0]
    assert f"lists {trained} among its training cases: take" in found.warnings[1]


def test_an_ensemble_knows_what_its_members_know(model: Model, draw: Draw, tmp_path: Path) -> None:
    described = json.loads((model.folder / "model.json").read_text())
    for fold, names in enumerate((["m0"], ["n2"])):
        facts = {**described["facts"], "train_cases": names}
        target = tmp_path / "training" / f"fold_{fold}"
        target.mkdir(parents=True)
        (target / "model.json").write_text(json.dumps({**described, "facts": facts}))
    together = tmp_path / "training" / "ensemble_0_1"
    together.mkdir()
    joined = {**described, "members": {"fold_0": "", "fold_1": ""}, "facts": {}}
    (together / "model.json").write_text(json.dumps(joined))
    found = audit(replace(model, folder=together), *draw(2, 2))
    assert ["m1 among" in w or "n2 among" in w for w in found.warnings] == [True, True]


def test_a_model_without_a_list_warns_of_nothing(model: Model, draw: Draw, tmp_path: Path) -> None:
    described = json.loads((model.folder / "model.json").read_text())
    del described["facts"]["train_cases"]
    (tmp_path / "model.json").write_text(json.dumps(described))
    assert audit(replace(model, folder=tmp_path), *draw(1, 1)).warnings == ()


def test_a_scan_in_both_groups_is_refused(model: Model, draw: Draw) -> None:
    members, others = draw(2, 2)
    with pytest.raises(DatasetError, match=r"Cases? m0 and others are in both .*members and"):
        audit(model, members, members)
    shutil.copy(members / "m0_0000.nii.gz", others / "new_name.nii.gz")
    with pytest.raises(DatasetError, match=r"m0_0000.nii.gz and .*new_name.nii.gz hold the same"):
        audit(model, members, others)


def test_the_same_scan_in_another_format_is_refused(
    model: Model, draw: Draw, miniature: Any
) -> None:
    members, others = draw(2, 2)
    miniature.write(others / "x.mha", miniature.brain(100).image, orientation="PSR")
    with pytest.raises(DatasetError, match=r"m0_0000.nii.gz and .*x.mha hold the same scan"):
        audit(model, members, others)


def test_folders_must_hold_scans(model: Model, draw: Draw, tmp_path: Path) -> None:
    members, others = draw(1, 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match=r"empty holds no image"):
        audit(model, members, empty)
    with pytest.raises(DatasetError, match=r"gone is not a folder: .* with --members"):
        audit(model, tmp_path / "gone", others)
    with pytest.raises(DatasetError, match=r"gone is not a folder: .*--brain_masks"):
        audit(model, members, others, tmp_path / "gone")
    (members / "m0_0000.nii.gz").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"members has no case that can be used \(.*m0_0000"):
        audit(model, members, others)


def test_one_bad_case_is_left_out(model: Model, draw: Draw) -> None:
    members, others = draw(2, 1)
    (members / "m0_0000.nii.gz").write_bytes(b"no image")
    found = audit(model, members, others)
    assert [case.case for case in found.cases if case.message] == ["m0"]
    assert len(found.errors("member", "plain")) == 1


def test_own_brain_masks_are_taken(
    model: Model, draw: Draw, miniature: Any, tmp_path: Path
) -> None:
    members, others = draw(1, 1)
    whole = audit(model, members, others)
    own = np.zeros(miniature.brain(0).labels.shape, np.uint8)
    own[6:34, 10:38, 8:32] = 1
    miniature.write(tmp_path / "masks" / "m0.nii.gz", own)
    found = audit(model, members, others, tmp_path / "masks")
    assert found.cases[0].plain != whole.cases[0].plain
    assert found.cases[1] == whole.cases[1]


def test_a_method_without_training_has_nothing_to_audit(model: Model, draw: Draw) -> None:
    with pytest.raises(ModelError, match=r"method threshold, which is not trained and rebuilds no"):
        audit(load_model(model.folder), *draw(1, 1))
