"""Time and memory against the number of cases, and against the size of a volume.

    python benchmarks/growth.py            # all, about half an hour on one core
    python benchmarks/growth.py --work FOLDER   # the same; given again, it goes on
    python benchmarks/growth.py --work FOLDER --page   # what a run that was stopped has measured
    python benchmarks/growth.py --page     # only write the pages anew from benchmarks/growth.json

writes `benchmarks/growth.md` with its picture, and the arithmetic for 100,000 scans in
`documentation/scaling.md`. Each measurement is a process of its own with one thread, whose
processor seconds count: who else uses the machine does not matter to them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from disanat.evaluation.evaluate import evaluate_folder, write_evaluation
from disanat.experiments.measure import peak_memory_mb
from disanat.home import write_json
from disanat.inference.bundled import bundled_folder
from disanat.inference.folder import predict_folder
from disanat.inference.predictor import Predictor
from disanat.io.store import stored_cases
from disanat.plans import NetworkPlan, Plans, load_json, save_json
from disanat.training.loaders import Renderer
from growth_page import RECORD, write_pages
from planning import Overrides, plan, preprocess
from steps import ROOT, commit, machine

CASES = (10, 30, 100, 1000)
SIZES = (24, 32, 48, 64, 96)
SMALL, FEW = 24, 4
"""Voxels along an axis where the number of cases grows; cases where the size does."""
AT_ONCE = 4
"""Measurements that run beside each other."""
WHOLE = (160, 200, 160)
"""Voxels of 1 mm of the volume for the arithmetic: the brain's box in a usual T1."""
STAGES = ("plan", "prepare", "load", "predict", "evaluate")
DATASET = "Dataset005_Growth"
_EXTENT_MM = 160.0
_IMPORTED = [
    "disanat.api.comparing",
    "disanat.preprocessing.dataset",
    "planning.dataset",
    "growth_page",
]
_CLASSES = {"csf": [11], "grey": [12], "white": [13]}


def brain(seed: int, shape: tuple[int, int, int], spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """A stripped brain of ellipsoids with noise, and its label map; axes S, P, L."""
    rng = np.random.default_rng(seed)
    axes = [((np.arange(n) - n / 2 + 0.5) * spacing).astype(np.float32) for n in shape]
    grid = np.meshgrid(*axes, indexing="ij")
    radii = np.array([56.0, 74.0, 60.0]) * rng.uniform(0.95, 1.05, 3)
    depth = np.sqrt(sum((g / r) ** 2 for g, r in zip(grid, radii.astype(np.float32), strict=True)))
    labels = np.select([depth < 0.72, depth < 0.9, depth < 1], [13, 12, 11], 0).astype(np.uint8)
    shades = np.zeros(14, np.float32)
    shades[11:] = 30, 70, 110
    image = shades[labels] + rng.normal(0, 3, shape).astype(np.float32)
    return np.where(labels > 0, np.maximum(image, 1), 0).astype(np.float32), labels


def write_brains(folder: Path, count: int, shape: tuple[int, int, int], spacing: float) -> None:
    """Healthy scans with label maps, and the same scans with a lesion and its mask."""
    if (folder / "labels" / f"c{count - 1:04d}.nii.gz").exists():
        return
    for number in range(count):
        image, labels = brain(number, shape, spacing)
        _write(image, folder / f"imagesTr/c{number:04d}_0000.nii.gz", spacing)
        _write(labels, folder / f"priorsTr/c{number:04d}.nii.gz", spacing)
        box = tuple(slice(round(0.55 * n), round(0.65 * n)) for n in shape)
        lesion = np.zeros(shape, np.uint8)
        lesion[box] = labels[box] > 0
        _write(np.where(lesion, 150, image), folder / f"scans/c{number:04d}_0000.nii.gz", spacing)
        _write(lesion, folder / f"labels/c{number:04d}.nii.gz", spacing)


def _write(array: np.ndarray, path: Path, spacing: float) -> None:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing,) * 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), True)


def make_home(home: Path, brains: Path, count: int) -> None:
    """A home with so many of the brains, by links; and what is predicted and judged."""
    if home.exists():
        return
    raw = home / "raw" / DATASET
    for kind in ("imagesTr", "priorsTr", "scans", "labels"):
        target = raw / kind if kind.endswith("Tr") else home / kind
        target.mkdir(parents=True)
        for path in sorted((brains / kind).iterdir())[:count]:
            (target / path.name).symlink_to(path)
    declared = {"channel_names": {"0": "T1"}, "prior": {"classes": _CLASSES}, "simulated": True}
    write_json(declared, raw / "dataset.json")


def small_models(home: Path) -> tuple[Path, Path]:
    """`threshold`, and `dal` with tiny networks; both take scans in their own voxel size."""
    from disanat import train

    if not (home / "preprocessed").exists():
        _plan_small(home)
    return train("5", "threshold", home=home), train("5", home=home, device="cpu")


def _plan_small(home: Path) -> None:
    plan("5", home, processes=0, progress=False, overrides=Overrides(resampling=False))
    preprocess("5", home, processes=0)
    source = home / "preprocessed" / DATASET / "plans.json"
    plans = load_json(source, Plans)

    def small(network: NetworkPlan) -> NetworkPlan:
        stages = min(3, len(network.features))
        features = (8, 12, 16)[:stages]
        return NetworkPlan(features, network.strides[:stages], network.kernel_sizes[:stages], 1)

    tiny = {
        name: replace(
            one,
            batch_size=8,
            encoder=small(one.encoder),
            restorer=small(one.restorer),
            comparator=small(one.comparator),
            decoder_features=8,
            epochs=1,
            iterations_per_epoch=10,
        )
        for name, one in plans.configurations.items()
    }
    save_json(replace(plans, configurations=tiny), source)


def load(home: Path) -> Renderer:
    """What training does with all cases before its first batch."""
    folder = home / "preprocessed" / DATASET
    plans = load_json(folder / "plans.json", Plans)
    cases = folder / plans.recommended
    return Renderer(cases, stored_cases(cases), plans, plans.configuration(), 0)


def stage(name: str, home: Path, model: Path) -> dict[str, float]:
    """Do one stage in this process; processor seconds, seconds, and peak memory before and at it.

    What is read before the first case, such as the model, does not count.
    """
    work: dict[str, Callable[[], object]] = {
        "plan": lambda: plan("5", home, processes=0, progress=False),
        "prepare": lambda: preprocess("5", home, processes=0),
        "load": lambda: load(home),
        "evaluate": lambda: write_evaluation(
            evaluate_folder(home / "out", home / "labels"), home / "evaluated"
        ),
    }
    if name == "predict":
        predictor = Predictor.from_folder(model)
        work[name] = lambda: predict_folder(predictor, home / "scans", home / "out")
    before = peak_memory_mb()
    began, spent = time.monotonic(), time.process_time()
    kept = work[name]()  # noqa: F841 (held in memory until the peak is read)
    return {
        "cpu_s": time.process_time() - spent,
        "seconds": time.monotonic() - began,
        "before_mb": before,
        "peak_mb": peak_memory_mb(),
    }


def measured(name: str, home: Path, model: Path) -> dict[str, float]:
    """A stage in a process of its own, or what an earlier run into the same folder measured."""
    kept = home.with_name(f"{home.name}_{name}.json")
    if kept.exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    half = {"plan": "preprocessed", "prepare": f"preprocessed/{DATASET}/2d", "predict": "out"}
    if name in half:  # of a run that was stopped: its cases would be kept, and cost nothing
        shutil.rmtree(home / half[name], ignore_errors=True)
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        found = pool.apply(stage, (name, home, model))
    write_json(found, kept)
    print(f"{home.name} {name}: {found}", flush=True)
    return found


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_all(work: Path) -> dict[str, object]:
    """Everything that the pages say."""
    write_brains(work / "small", max(CASES), (SMALL,) * 3, _EXTENT_MM / SMALL)
    make_home(work / "taught", work / "small", 8)
    plain, networks = small_models(work / "taught")

    def stages(names: Sequence[str], home: Path, model: Path) -> None:
        for name in names:
            measured(name, home, model)

    wanted = []
    for count in reversed(CASES):
        make_home(work / f"cases_{count}", work / "small", count)
        wanted.append((work / f"cases_{count}", plain))
    for size in SIZES:
        write_brains(work / f"brains_{size}", FEW, (size,) * 3, _EXTENT_MM / size)
        make_home(work / f"size_{size}", work / f"brains_{size}", FEW)
        wanted.append((work / f"size_{size}", networks))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [
            pool.submit(stages, names, home, model)
            for home, model in wanted
            for names in (STAGES[:3], STAGES[3:])
        ]
        whole = pool.submit(_whole, work)
        for one in running:
            one.result()
        whole.result()
    return collected(work)


def collected(work: Path) -> dict[str, object]:
    """What has been measured in a folder, of a run that was stopped too."""
    rows = []
    for home in sorted(path for path in work.iterdir() if re.fullmatch(r"\w+_\d+", path.name)):
        kind, number = home.name.split("_")
        at = (int(number), SMALL**3) if kind == "cases" else (FEW, int(number) ** 3)
        for name in STAGES:
            if kind in ("cases", "size") and (kept := work / f"{home.name}_{name}.json").exists():
                found = json.loads(kept.read_text(encoding="utf-8"))
                rows.append({"kind": kind, "stage": name, "cases": at[0], "voxels": at[1], **found})
    rows.sort(key=lambda row: (row["cases"], row["voxels"]))
    return {
        "by_cases": [row for row in rows if row["kind"] == "cases"],
        "by_size": [row for row in rows if row["kind"] == "size"],
        "whole": _whole(work),
    }


def _whole(work: Path) -> dict[str, object]:
    """What a scan of 1 mm takes, predicted with the model that ships; and its bytes on disk."""
    write_brains(work / "whole_brains", FEW, WHOLE, 1.0)
    home = work / "whole"
    make_home(home, work / "whole_brains", FEW)
    for path in sorted((home / "scans").iterdir())[1:]:
        path.unlink()
    stages = {name: measured(name, home, bundled_folder()) for name in STAGES}
    for name, row in stages.items():
        row["cases"] = 1 if name in ("predict", "evaluate") else FEW
    return {
        "shape": list(WHOLE),
        "stages": stages,
        "raw_bytes": sum(path.resolve().stat().st_size for path in (home / "scans").iterdir()),
        "prepared_bytes": bytes_in(home / "preprocessed") / FEW,
        "predicted_bytes": bytes_in(home / "out"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, help="folder that is kept, so that a run that is stopped goes on"
    )
    parser.add_argument("--page", action="store_true", help="only write the pages")
    args = parser.parse_args()
    found = collected(args.work) if args.page and args.work else None
    if not args.page:
        os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
        # Forked from a process that has imported everything, which is not measured.
        multiprocessing.set_forkserver_preload(_IMPORTED)
        with tempfile.TemporaryDirectory() as temporary:
            found = measure_all(args.work or Path(temporary))
    if found is not None:
        about = {
            "date": f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
            "commit": commit(),
            "machine": machine(),
        }
        write_json({"schema_version": 1, **about, **found}, ROOT / RECORD)
    for page in write_pages():
        print(page)


if __name__ == "__main__":
    main()
