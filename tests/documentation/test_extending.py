"""The examples of documentation/extending.md run as they stand there."""

from __future__ import annotations

import re
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset_conversion.convert import convert
from disanat.home import Home
from disanat.inference.model import Model, load_model, save_model
from disanat.io.images import Geometry, read_labels, read_scan, same_grid, write_like
from disanat.methods import registry
from disanat.methods.interface import PreparedChannel
from disanat.methods.threshold import IntensityThreshold
from disanat.plans import Configuration, NetworkPlan, Plans
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.calibration import Calibration

PAGE = Path(__file__).resolve().parents[2] / "documentation" / "extending.md"
CALIBRATION = Calibration({"any": (0.0, 0.5, 1.0)}, 0.2, 0.0, 0.0)


def block(marker: str) -> str:
    """The one Python block of the page that contains `marker`."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    found = [block for block in blocks if marker in block]
    assert len(found) == 1, f"{len(found)} blocks with {marker}"
    return found[0]


def module(marker: str) -> types.ModuleType:
    """That block, run as a module of its own."""
    made = types.ModuleType("example")
    exec(compile(block(marker), str(PAGE), "exec"), made.__dict__)
    return made


def configuration(dimension: int) -> Configuration:
    network = NetworkPlan(
        (4, 8), ((1,) * dimension, (2,) * dimension), ((3,) * dimension, (3,) * dimension)
    )
    two = dimension == 2
    return Configuration(
        name="2d" if two else "3d_fullres",
        dimension=2 if two else 3,
        spacing=(4.0, 4.0, 4.0),
        slice_axis="S",
        context_slices=1 if two else 0,
        patch_size=(16, 16, 16)[:dimension],
        batch_size=2,
        encoder=network,
        restorer=network,
        comparator=network,
        decoder_features=4,
        edge_mm=4.0,
        epochs=1,
        iterations_per_epoch=1,
        learning_rate=1e-3,
        estimated_memory_gb=0.1,
    )


def plans(chosen: Configuration) -> Plans:
    return Plans(
        dataset="Dataset005_IXI",
        channel_names=("T1",),
        classes=("csf", "grey", "white"),
        prior="atlas",
        label_mapping={},
        skull_stripped=True,
        device="cpu",
        memory_gb=4.0,
        number_format="float32",
        configurations={chosen.name: chosen},
        recommended=chosen.name,
    )


def channel() -> PreparedChannel:
    rng = np.random.default_rng(0)
    brain, native_brain = np.zeros((9, 13, 11), bool), np.zeros((18, 26, 22), bool)
    brain[1:-1, 1:-1, 1:-1] = native_brain[2:-2, 2:-2, 2:-2] = True
    image = np.where(brain, rng.standard_normal(brain.shape), OUTSIDE).astype(np.float32)
    native = np.where(native_brain, rng.standard_normal(native_brain.shape), OUTSIDE)
    return PreparedChannel(
        image, brain, (4.0,) * 3, native.astype(np.float32), native_brain, (2.0,) * 3
    )


@pytest.mark.parametrize("dimension", (2, 3))
def test_method_learns_and_predicts(dimension: int) -> None:
    torch.manual_seed(0)
    chosen = configuration(dimension)
    method = module("class Rebuild").Rebuild(plans(chosen), chosen)
    seen = 3 if dimension == 2 else 1
    space = (16,) * dimension
    labels = torch.zeros(2, *space, dtype=torch.int64)
    labels[:, 4:12] = 2
    batch = {
        "image": torch.randn(2, seen, *space),
        "labels": labels,
        "healthy": torch.randn(2, 1, *space),
    }
    optimiser = torch.optim.AdamW(method.networks().parameters(), 1e-2)
    with torch.inference_mode():
        before = method.validate(batch)["error"]
    for _ in range(20):
        optimiser.zero_grad()
        sum(method.losses(batch).values()).backward()
        optimiser.step()
    with torch.inference_mode():
        assert method.validate(batch)["error"] < before

    given = channel()
    results = method.predict([given, given])
    assert len(results) == 2
    assert results[0].score.shape == results[0].phi.shape == given.native.shape
    assert np.isfinite(results[0].score).all() and results[0].score.max() > 0
    assert (results[0].phi[~given.native_brain] == OUTSIDE).all()
    np.testing.assert_array_equal(results[0].score, results[1].score)


def test_method_joins_by_entry_point_and_comes_back_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = module("class Rebuild").Rebuild
    entry = types.SimpleNamespace(name="rebuild", load=lambda: kind)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    assert registry.get_method("rebuild") is kind
    assert "rebuild" in registry.method_names()

    chosen = configuration(2)
    method = kind(plans(chosen), chosen)
    model = Model(method, method.plans, chosen, CALIBRATION, tmp_path)
    save_model(model, method.networks().state_dict(), {})
    method.networks().eval()
    again = load_model(tmp_path).method
    given = channel()
    score = method.predict([given])[0].score
    np.testing.assert_array_equal(again.predict([given])[0].score, score)


def write_ball(path: Path, inside: np.ndarray, values: np.ndarray) -> Geometry:
    x, y, z = inside.shape[::-1]
    grid = Geometry((x, y, z), (4.0,) * 3, (0.0,) * 3, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    write_like(np.where(inside, values, 0).astype(np.float32), grid, path)
    return grid


def ball(radius: int) -> np.ndarray:
    offset = np.indices((40, 40, 40)) - 20
    return np.asarray((offset**2).sum(0) < radius**2)


def test_converter_writes_a_test_set(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(50, 100, (40, 40, 40))
    source = tmp_path / "source"
    grid = write_ball(source / "scans" / "P01.nii.gz", ball(15), noise)
    write_like(ball(3).astype(np.uint8) * 4, grid, source / "masks" / "P01.nii.gz")
    folder = convert(module("MySet: FLAIR").CONVERTER, source, Home(tmp_path / "home"))
    assert folder == tmp_path / "home" / "raw" / "Dataset201_MySet"
    assert (folder / "dataset.json").is_file()
    scan = read_scan(folder / "imagesTs" / "P01_0000.nii.gz")
    label = read_labels(folder / "labelsTs" / "P01.nii.gz")
    assert same_grid(scan.geometry, label.geometry)
    np.testing.assert_array_equal(label.array, ball(3))


def test_predictor_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = configuration(2)
    method = IntensityThreshold(plans(chosen), chosen)
    folder = tmp_path / "disanat_home" / "results" / "Dataset005_IXI" / "dal__2d" / "fold_0"
    save_model(Model(method, method.plans, chosen, CALIBRATION, folder), {}, {})
    noise = np.random.default_rng(0).uniform(50, 100, (40, 40, 40))
    write_ball(tmp_path / "scan.nii.gz", ball(15), noise)
    exec(compile(block("from disanat import Predictor"), str(PAGE), "exec"), {})
    written = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert written == [
        "scan.nii.gz",
        "scan_0000_phi.nii.gz",
        "scan_anomaly.nii.gz",
        "scan_brainmask.nii.gz",
    ]
