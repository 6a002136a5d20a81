"""Pictures of held-out samples, and what TensorBoard gets."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from solid_plans import in_3d

from disanat.errors import PlanError
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.interface import Method
from disanat.methods.registry import get_method
from disanat.plans import Plans, load_json
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.training.progress import EpochRecord
from disanat.training.samples import draw_samples, is_due, rows_to_show
from disanat.training.tensorboard import TensorBoard, check_tensorboard

CHAIN = ["scan", "anatomy", "edges", "restored anatomy", "PHI", "scan - PHI"]


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    return load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)


def batch(method: Method, size: int = 4, edge: int = 16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    configuration = method.configuration
    plane = (edge,) * configuration.dimension
    seen = 2 * configuration.context_slices + 1 if configuration.dimension == 2 else 1
    labels = torch.zeros(size, *plane, dtype=torch.long)
    labels[:, 4:12, 4:12] = 1
    lesion = torch.zeros(size, *plane)
    lesion[2:, 6:9, 6:9] = 1
    return {
        "image": torch.randn(size, seen, *plane, generator=generator),
        "labels": labels,
        "lesion": lesion,
        "healthy": torch.randn(size, 1, *plane, generator=generator),
        "theta": torch.randn(size, len(method.scheme), generator=generator),
    }


def test_they_are_drawn_at_first_at_last_and_ten_times_between() -> None:
    due = [epoch + 1 for epoch in range(100) if is_due(epoch, 100)]
    assert due == [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert [epoch for epoch in range(3) if is_due(epoch, 3)] == [0, 1, 2]
    assert is_due(0, 1)


def test_rows_are_the_pairs_with_the_largest_lesions() -> None:
    lesion = torch.zeros(8, 5, 5)
    lesion[2:4, :2, :2] = 1
    lesion[6:, :3, :3] = 1
    assert rows_to_show(lesion) == [6, 7, 2, 3]
    assert rows_to_show(lesion[:2]) == [0, 1]


def test_dal_shows_its_whole_chain(plans: Plans) -> None:
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    given = batch(method)
    with torch.inference_mode():
        pictures = method.pictures(given)
    assert list(pictures) == CHAIN
    assert all(p.values.shape == given["labels"].shape for p in pictures.values())
    torch.testing.assert_close(
        pictures["scan - PHI"].values, pictures["scan"].values - pictures["PHI"].values
    )
    outside = given["labels"] == 0
    assert (pictures["PHI"].values[outside] == OUTSIDE).all()
    edges, anatomy = (pictures[name].values for name in ("edges", "anatomy"))
    assert ((edges == 0) | (edges == anatomy)).all(), "edges are named as what they bound"


def test_dal_without_restoration_shows_no_edges(plans: Plans) -> None:
    configuration = replace(plans.configuration("2d"), ablations=("no_restoration",))
    method = DisentangledAnatomy(plans, configuration)
    with torch.inference_mode():
        assert list(method.pictures(batch(method))) == [n for n in CHAIN if n != "edges"]


@pytest.mark.parametrize("name", ["ae", "dae", "hf", "ddpm", "arepas"])
def test_methods_that_rebuild_show_scan_phi_and_difference(plans: Plans, name: str) -> None:
    method = get_method(name)(plans, plans.configuration("2d"))
    before = torch.get_rng_state()
    with torch.inference_mode():
        pictures = method.pictures(batch(method, edge=32))
    assert list(pictures) == ["scan", "PHI", "scan - PHI"]
    assert torch.equal(before, torch.get_rng_state()), "looking changes no training"


def test_a_picture_has_a_row_a_sample_and_a_column_a_step(plans: Plans, tmp_path: Path) -> None:
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    target = draw_samples(method, batch(method, 8), 4, tmp_path)
    assert target == tmp_path / "samples" / "epoch_0005.png"
    image = imread(target)[..., :3]
    height, width, _ = image.shape
    assert width / height == pytest.approx(len(CHAIN) / 4, rel=0.15)
    columns = np.array_split(image, len(CHAIN), axis=1)
    colourful = [float((c.max(2) - c.min(2)).max()) > 0.3 for c in columns]
    assert colourful[1:4] == [True] * 3 and colourful[5], "tissues and differences have colours"
    assert float(columns[4][60:].std()) > 0.05 and not colourful[4], "the PHI is grey"
    assert colourful[0], "the lesion is outlined in the scan"


def test_3d_samples_are_shown_by_their_middle_slice(plans: Plans, tmp_path: Path) -> None:
    method = DisentangledAnatomy(plans, in_3d(plans.configuration("2d")))
    target = draw_samples(method, batch(method, 2), 0, tmp_path)
    assert target is not None and imread(target).std() > 0.1


def test_a_method_with_nothing_to_show_draws_nothing(plans: Plans, tmp_path: Path) -> None:
    class Mute(DisentangledAnatomy):
        def pictures(self, batch: Any) -> dict[str, Any]:
            return Method.pictures(self, batch)

    method = Mute(plans, plans.configuration("2d"))
    assert draw_samples(method, batch(method), 0, tmp_path) is None
    assert not list(tmp_path.iterdir())


def record(epoch: int, loss: float) -> EpochRecord:
    return EpochRecord(epoch, {"anatomy": loss}, {"error": loss / 2}, 1.5, 0.02, 1e-3)


def scalars(folder: Path) -> Any:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = events.EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    return accumulator


def test_tensorboard_gets_figures_and_pictures(plans: Plans, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    drawn = draw_samples(method, batch(method), 0, tmp_path)
    with TensorBoard(True, tmp_path, 0) as board:
        board.add(record(0, 4.0), drawn)
        board.add(record(1, 3.0), None)
    with TensorBoard(True, tmp_path, 1) as board:  # gone on after epoch 1: epoch 2 again
        board.add(record(1, 2.0), None)
    found = scalars(tmp_path)
    assert [(e.step, e.value) for e in found.Scalars("loss/anatomy")] == [(1, 4.0), (2, 2.0)]
    assert [(e.step, e.value) for e in found.Scalars("held_out/error")] == [(1, 2.0), (2, 1.0)]
    assert {"training/learning_rate", "training/data_wait"} <= set(found.Tags()["scalars"])
    assert found.Images("samples")[0].width == imread(drawn).shape[1]


def test_tensorboard_writes_nothing_unless_it_is_wanted(tmp_path: Path) -> None:
    with TensorBoard(False, tmp_path, 0) as board:
        board.add(record(0, 1.0), None)
    assert not list(tmp_path.iterdir())


def test_tensorboard_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(PlanError, match=r"--tensorboard needs .*pip install 'disanat\[tensor"):
        check_tensorboard()


def test_a_training_leaves_pictures_and_a_new_one_drops_them(
    miniature: Any, planned_home: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    home = tmp_path / "home"
    shutil.copytree(planned_home, home)
    miniature.shrink(home, 2)
    flags = ("-d", "5", "-np", 0, "-m", "ae", "--home", home, "--device", "cpu")
    folder = home / "results" / "Dataset005_Mini" / "ae__2d" / "fold_0"
    assert miniature.run("train", *flags, "--epochs", 3, "--tensorboard") == 0
    names = sorted(p.name for p in (folder / "samples").iterdir())
    assert names == ["epoch_0001.png", "epoch_0002.png", "epoch_0003.png"]
    assert len(scalars(folder).Scalars("held_out/error")) == 3
    assert miniature.run("train", *flags, "--epochs", 1, "--restart") == 0
    assert [p.name for p in (folder / "samples").iterdir()] == ["epoch_0001.png"]
    assert not (folder / "tensorboard").exists()
