"""What all tests share: a miniature dataset of simulated brains, and a model trained on it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
SHAPE = (40, 48, 40)
SPACING = (4.0, 4.0, 4.0)
CLASSES = {"csf": [11], "grey": [12], "white": [13]}
DATASET = "Dataset005_Mini"
LOOKS = {"t1": (30.0, 70.0, 110.0, 60.0), "flair": (20.0, 90.0, 75.0, 150.0)}
"""Intensity of fluid, grey matter, white matter and lesion."""


def pytest_configure() -> None:
    """One thread for torch: with more, tests that share cores are many times slower."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _no_home_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own DISANAT_HOME must not decide what a test sees."""
    monkeypatch.delenv("DISANAT_HOME", raising=False)


@pytest.fixture(autouse=True)
def _nothing_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor must the model that ships with disanat; `ship` puts another one in its place."""
    monkeypatch.setattr("disanat.inference.bundled.bundled_folder", lambda: ROOT / "nothing_ships")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; tests that need it skip where it is absent."""
    folder = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder}: set DISANAT_TEST_DATA to run this test")
    return folder


@dataclass(frozen=True)
class MiniBrain:
    """A stripped brain of ellipsoids, axes S, P, L: 0 air, 1 fluid, 2 grey, 3 white."""

    labels: np.ndarray
    image: np.ndarray
    lesion: np.ndarray
    spacing: tuple[float, float, float] = SPACING


def _radius(grid: np.ndarray, centre: Sequence[float], axes_mm: Sequence[float]) -> np.ndarray:
    at = (grid - np.reshape(centre, (3, 1, 1, 1))) / np.reshape(axes_mm, (3, 1, 1, 1))
    return np.asarray(np.sqrt((at**2).sum(0)))


def make_brain(
    seed: int,
    look: str = "t1",
    lesion: bool = False,
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = SPACING,
    bias: float = 0.1,
    noise: float = 3.0,
) -> MiniBrain:
    """Draw one; left and right differ: one ventricle is larger, and lesions lie on the left."""
    rng = np.random.default_rng(seed)
    middle = [(n - 1) / 2 * s for n, s in zip(shape, spacing)]
    axes = [np.arange(n) * s - m for n, s, m in zip(shape, spacing, middle)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"))
    centre = rng.uniform(-4, 4, 3)
    outer = np.array([58.0, 78.0, 62.0]) * rng.uniform(0.94, 1.06, 3)
    brain = _radius(grid, centre, outer)
    labels = np.select([brain < 0.72, brain < 0.9, brain < 1], [3, 2, 1], 0).astype(np.uint8)
    for side, size in ((-1, 1.0), (1, 1.35)):
        horn = _radius(grid, centre + [4, 0, side * 12.0], np.array([11, 24, 7.0]) * size)
        labels[horn < 1] = 1
    fluid, grey, white, odd = LOOKS[look]
    image = np.array([0.0, fluid, grey, white])[labels]
    where = (_radius(grid, centre + [12, -8, 30.0], (14, 16, 13)) < 1) & (labels == 3)
    if lesion:
        image[where] = odd
    slope = sum(w * a / m for w, a, m in zip(rng.uniform(-1, 1, 3), grid, middle))
    image = image * (1 + bias * slope) + rng.normal(0, noise, image.shape)
    image = np.where(labels > 0, np.maximum(image, 1.0), 0.0).astype(np.float32)
    return MiniBrain(labels, image, where & lesion, spacing)


def make_head(seed: int, look: str = "t1") -> tuple[np.ndarray, np.ndarray]:
    """The same brain in noisy air, so that nothing says it is stripped; and its mask."""
    brain = make_brain(seed, look)
    inside = brain.labels > 0
    air = np.abs(np.random.default_rng(seed).normal(0, 3, inside.shape))
    return np.where(inside, brain.image + 20, air).astype(np.float32), inside


def write_volume(
    path: Path,
    array: np.ndarray,
    spacing: Sequence[float] = SPACING,
    orientation: str = "LPS",
    turn_deg: float = 0.0,
    origin: Sequence[float] = (-80.0, -95.0, -71.5),
) -> None:
    """Store a canonical array in any orientation, with SimpleITK alone; oblique if turned."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing([float(s) for s in reversed(spacing)])
    image.SetOrigin(origin)
    image = sitk.DICOMOrient(image, orientation)
    if turn_deg:
        turn = sitk.VersorTransform((0.3, 0.8, 0.5), np.deg2rad(turn_deg))
        matrix = np.reshape(turn.GetMatrix(), (3, 3)) @ np.reshape(image.GetDirection(), (3, 3))
        image.SetDirection(matrix.ravel())
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), True)


def make_dataset(home: Path, cases: int = 5) -> Path:
    """A raw dataset of healthy T1-like brains with label maps; returns its folder."""
    folder = home / "raw" / DATASET
    for number in range(cases):
        brain = make_brain(number)
        prior = np.where(brain.labels > 0, brain.labels + 10, 0).astype(np.uint8)
        orientation = ("LPS", "PSR", "RAS")[number % 3]
        write_volume(
            folder / "imagesTr" / f"h{number}_0000.nii.gz", brain.image, orientation=orientation
        )
        write_volume(folder / "priorsTr" / f"h{number}.nii.gz", prior, orientation=orientation)
    declared = {"channel_names": {"0": "T1"}, "prior": {"classes": CLASSES}, "simulated": True}
    (folder / "dataset.json").write_text(json.dumps(declared))
    return folder


def shrink_plans(home: Path, iterations: int = 40) -> None:
    """Make the networks and epochs of a plan tiny."""
    from disanat.plans import NetworkPlan, Plans, load_json, save_json

    source = home / "preprocessed" / DATASET / "plans.json"
    plans = load_json(source, Plans)

    def small(network: NetworkPlan) -> NetworkPlan:
        stages = min(3, len(network.features))
        return NetworkPlan(
            (8, 12, 16)[:stages], network.strides[:stages], network.kernel_sizes[:stages], 1
        )

    smaller = {
        name: replace(
            c,
            batch_size=2 if c.dimension == 3 else 8,
            encoder=small(c.encoder),
            restorer=small(c.restorer),
            comparator=small(c.comparator),
            decoder_features=8,
            iterations_per_epoch=iterations,
        )
        for name, c in plans.configurations.items()
    }
    save_json(replace(plans, configurations=smaller), source)


def run_main(name: str, *argv: object) -> int:
    """Exit code of a command's `main()`."""
    from disanat.cli import compare, evaluate, predict, train
    from planning import cli

    commands: dict[str, Callable[[list[str]], int]] = {
        "plan": cli.main,
        "train": train.main,
        "predict": predict.main,
        "evaluate": evaluate.main,
        "compare": compare.main,
    }
    return commands[name]([str(a) for a in argv])


@dataclass(frozen=True)
class Miniature:
    """The functions above, for tests."""

    brain: Callable[..., MiniBrain] = make_brain
    head: Callable[..., tuple[np.ndarray, np.ndarray]] = make_head
    write: Callable[..., None] = write_volume
    dataset: Callable[..., Path] = make_dataset
    shrink: Callable[..., None] = shrink_plans
    run: Callable[..., int] = run_main
    dataset_name: str = DATASET


@pytest.fixture(scope="session")
def miniature() -> Miniature:
    """Makes miniature brains, datasets and runs."""
    return Miniature()


_FAKE_TOOL = """#!{python}
import sys
import SimpleITK as sitk

with open({log!r}, "a") as log:
    print(sys.argv[0].rpartition("/")[2], *sys.argv[1:], file=log)
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
mask = sitk.Cast(sitk.ReadImage(given["-i"]) > 15, sitk.sitkUInt8)
if "-m" in given:
    sitk.WriteImage(mask, given["-m"])
elif "--save_bet_mask" in sys.argv:
    sitk.WriteImage(mask, given["-o"].replace(".nii.gz", "_bet.nii.gz"))
"""


@pytest.fixture
def fake_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HD-BET and SynthStrip as small programs on the PATH; returns the log of their calls."""
    log, programs = tmp_path / "calls.txt", tmp_path / "programs"
    programs.mkdir()
    for name in ("hd-bet", "mri_synthstrip"):
        program = programs / name
        program.write_text(_FAKE_TOOL.format(python=sys.executable, log=str(log)))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return log


def _once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Any]) -> Path:
    """Build a folder once for all of pytest-xdist's workers."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / name
    with FileLock(shared / f"{name}.lock"):
        if not (shared / f"{name}.done").exists():
            folder.mkdir()
            build(folder)
            (shared / f"{name}.done").touch()
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], Any]], Path]:
    """Builds a folder of that name once for all workers, with the function given."""
    return lambda name, build: _once(tmp_path_factory, name, build)


@pytest.fixture(scope="session")
def planned_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose miniature dataset is planned and preprocessed as 2d; copy it to change it."""

    def build(home: Path) -> None:
        make_dataset(home)
        assert run_main("plan", "-d", "5", "--home", home, "-np", 0) == 0
        shrink_plans(home)

    return _once(tmp_path_factory, "planned_home", build)


@pytest.fixture(scope="session")
def trained_home(planned_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with dal trained for 2 epochs of 40 steps, then threshold; not to be changed."""

    def build(home: Path) -> None:
        shutil.copytree(planned_home, home, dirs_exist_ok=True)
        common = ("-d", "5", "--home", home, "--device", "cpu")
        assert run_main("train", *common, "--epochs", 2, "-np", 0) == 0
        assert run_main("train", *common, "-m", "threshold") == 0

    return _once(tmp_path_factory, "trained_home", build)


def teach(model_folder: Path, cases: Path, target: Path, steps: int = 60) -> None:
    """Teach a miniature model's encoder the tissues of the scans as they are, and save it.

    The training that all tests share is too short for that; this one is short because it renders
    nothing.
    """
    import torch

    from disanat.inference.model import load_model, save_model
    from disanat.io.store import open_case, stored_cases

    model = load_model(model_folder)
    encoder = model.method.networks()["encoder"].train()
    reach = model.configuration.context_slices
    images, truths = [], []
    for name in stored_cases(cases):
        case = open_case(cases, name)
        padding = ((reach, reach), (0, 0), (0, 0))
        stack = np.pad(case.image[0], padding, constant_values=-4.0)
        whole = tuple(slice(n // 4 * 4) for n in stack.shape[1:])
        images += [stack[(slice(i, i + 2 * reach + 1), *whole)] for i in range(len(case.labels[:]))]
        truths += [labels[whole] for labels in case.labels[:]]
    torch.manual_seed(0)
    rng, rate = np.random.default_rng(0), torch.optim.Adam(encoder.parameters(), 1e-2)
    for _ in range(steps):
        chosen = rng.choice(len(images), 8)
        shape = np.min([images[i].shape[1:] for i in chosen], axis=0)
        given = np.stack([images[i][:, : shape[0], : shape[1]] for i in chosen])
        wanted = np.stack([truths[i][: shape[0], : shape[1]] for i in chosen]).astype(np.int64)
        logits = encoder(torch.from_numpy(given))[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted))
        rate.zero_grad()
        loss.backward()
        rate.step()
    encoder.eval()
    facts = json.loads((model_folder / "model.json").read_text())["facts"]
    save_model(replace(model, folder=target), model.method.networks().state_dict(), facts)


@pytest.fixture(scope="session")
def taught_model(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature dal model whose encoder knows the tissues of T1-like scans."""
    results = trained_home / "results" / DATASET / "dal__2d" / "fold_0"
    cases = trained_home / "preprocessed" / DATASET / "2d"
    return _once(tmp_path_factory, "taught", lambda folder: teach(results, cases, folder))


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch, taught_model: Path, tmp_path: Path) -> Callable[[], Path]:
    """Ships that model; what it gives puts it in place and returns its folder."""

    def put() -> Path:
        folder = tmp_path / "package" / "dal"
        shutil.copytree(taught_model, folder)
        monkeypatch.setattr("disanat.inference.bundled.bundled_folder", lambda: folder)
        return folder

    return put
