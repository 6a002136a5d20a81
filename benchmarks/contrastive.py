"""What the contrastive training of `ccddpm`'s encoder is worth: against a random one, and `cddpm`.

`benchmarks/contrastive.md` is only ever written by this script. It needs a planned dataset with its
cases and the labelled sets of `make real`; what is trained or predicted already is taken as it is.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from disanat.errors import ModelError
from disanat.evaluation.bootstrap import estimate_mean
from disanat.experiments.measure import measure
from disanat.experiments.sets import raw_sets
from disanat.home import Home, atomic_path, read_json, resolve_home
from disanat.inference.model import DESCRIPTION, REMEDY, load_model
from disanat.io.store import open_case
from disanat.methods.ccddpm import ContrastivelyConditionedDiffusion
from disanat.methods.ddpm import UNITS
from disanat.networks.contrastive import share_nearer, view
from disanat.plans import AXES
from disanat.preprocessing.normalisation import OUTSIDE, intensity_scale
from disanat.reporting.markdown import markdown_table
from disanat.synthesis.render import EXTRACEREBRAL
from disanat.training.looks import LOOKS, predictions
from disanat.training.settings import TrainingSettings
from disanat.training.splits import split_stored
from disanat.training.train import cases_folder, train
from steps import ROOT, commit, machine

PAGE = "benchmarks/contrastive.md"
RANDOM = "random_encoder"
_GROUPS = ("validation_cases", "threshold_cases", "reference_cases")
_ROUNDS = 20
_LESION_SEED = 7


@dataclass(frozen=True)
class Variant:
    """What is trained, and what the table calls it."""

    title: str
    method: str
    ablations: tuple[str, ...] = ()


VARIANTS = (
    Variant("ccddpm", "ccddpm"),
    Variant("ccddpm, random encoder", "ccddpm", (RANDOM,)),
    Variant("cddpm", "cddpm"),
)


def trained(args: argparse.Namespace, home: Home, variant: Variant, seed: int) -> Path:
    """The model's folder; a finished training of the same length is kept."""
    settings = TrainingSettings(device="cpu", epochs=args.epochs, workers=0, seed=seed)
    own = "_".join([variant.method, *variant.ablations, str(seed)])
    return train(
        home, home.dataset_name(args.dataset), variant.method, "2d", "0", settings,
        args.plans_name, variant.ablations, home.root / "contrastive" / own,
    )  # fmt: skip


def precisions(args: argparse.Namespace, home: Home, model: Path) -> dict[str, float]:
    """Mean AP by set."""
    found = {}
    for one in raw_sets(home):
        estimate = measure(model, one, model / "predictions" / one.name, "cpu").evaluation
        if estimate.average_precision.mean is not None:
            found[one.name] = float(estimate.average_precision.mean)
    return found


def synthetic_precisions(home: Home, folder: Path) -> dict[str, float]:
    """AP on synthetic lesions by held-out healthy case, mean over its contrasts.

    Every model is shown the same lesions: what is drawn does not depend on it.
    """
    model = load_model(folder, "cpu")
    cases = cases_folder(home, model.plans, model.configuration)
    names = split_stored(cases, "0").watched
    found = []
    for opinion in predictions(
        np.random.default_rng(_LESION_SEED), model.method, model.configuration, cases, names, True
    ):
        shares = model.calibration.shares_for(opinion.result.contrast)
        score = opinion.result.joined(shares)
        found.append(average_precision_score(opinion.truth[opinion.brain], score[opinion.brain]))
    return dict(zip(names, np.reshape(found, (len(names), len(LOOKS))).mean(1).tolist()))


def mean_over(one_each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each name the mean over trainings."""
    return {name: float(np.mean([one[name] for one in one_each])) for name in one_each[0]}


def told_apart(home: Home, folder: Path, seed: int) -> tuple[float, float, int]:
    """Of held-out scans, one slice each: how often two views lie closer than two scans; cosines.

    Returns:
        The share, the mean cosine of two views less that of two scans, and the number of scans.
    """
    model = load_model(folder, "cpu")
    method = model.method
    assert isinstance(method, ContrastivelyConditionedDiffusion)
    facts = read_json(folder / DESCRIPTION, ModelError, REMEDY)["facts"]
    names = [name for group in _GROUPS for name in facts[group]]
    cases = cases_folder(home, model.plans, model.configuration)
    rng = np.random.default_rng(seed)
    axis = AXES.index(model.configuration.slice_axis)
    images = _stacked([_some_slice(rng, cases, name, axis) for name in names])
    torch.manual_seed(seed)
    shares, gaps = [], []
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            first, second = (method.encoder(view(images, OUTSIDE) / UNITS) for _ in range(2))
            alike = torch.nn.functional.normalize(first) @ torch.nn.functional.normalize(second).T
            others = alike[~torch.eye(len(alike), dtype=torch.bool)]
            shares.append(share_nearer(first, second))
            gaps.append(float(alike.diagonal().mean() - others.mean()))
    return float(np.mean(shares)), float(np.mean(gaps)), len(names)


def _some_slice(rng: np.random.Generator, cases: Path, name: str, axis: int) -> np.ndarray:
    stored = open_case(cases, name)
    labels, image = np.asarray(stored.labels[:]), np.asarray(stored.image[0])
    brain = (labels > 0) & (labels < EXTRACEREBRAL)
    shown = np.moveaxis(intensity_scale(image[brain]).standardise(image, brain), axis, 0)
    filled = np.flatnonzero((shown > OUTSIDE).any((1, 2)))
    edge = len(filled) // 6
    return np.asarray(shown[rng.choice(filled[edge : len(filled) - edge])])


def _stacked(slices: list[np.ndarray]) -> torch.Tensor:
    height, width = (max(one.shape[axis] for one in slices) for axis in range(2))
    images = torch.full((len(slices), 1, height, width), float(OUTSIDE))
    for image, one in zip(images, slices):
        image[0, : one.shape[0], : one.shape[1]] = torch.from_numpy(one)
    return images


def set_rows(found: Mapping[str, Mapping[str, float]]) -> list[dict[str, str]]:
    """A row a set, a column a variant; the mean below."""
    sets = sorted(set.intersection(*(set(values) for values in found.values())))
    rows = []
    for name in (*sets, "**mean**"):
        row = {"set": name}
        for title, values in found.items():
            value = values[name] if name in values else np.mean([values[s] for s in sets])
            row[title] = f"{value:.3f}"
        rows.append(row)
    return rows


def gains(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What the contrastive training changes in AP, with its interval over sets or cases."""
    first, *others = found
    sets = sorted(set.intersection(*(set(values) for values in found.values())))
    return [
        f"- {first} less {other}: "
        + estimate_mean([found[first][s] - found[other][s] for s in sets]).text()
        for other in others
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("-d", "--dataset", default="5", help="number or name")
    parser.add_argument("-p", "--plans_name", default="", help="where it has several plans")
    parser.add_argument("--epochs", type=int, default=40, help="of each training (default: 40)")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1], help="a training of each variant for each"
    )  # fmt: skip
    parser.add_argument(
        "--variants", nargs="+", choices=[v.title for v in VARIANTS],
        default=[v.title for v in VARIANTS],
    )  # fmt: skip
    args = parser.parse_args()
    variants = [variant for variant in VARIANTS if variant.title in args.variants]
    home = resolve_home(args.home.resolve())
    folders = {
        variant.title: [trained(args, home, variant, seed) for seed in args.seeds]
        for variant in variants
    }
    apart = []
    for variant in variants:
        if variant.method == "ccddpm":
            seen = [told_apart(home, one, args.seeds[0]) for one in folders[variant.title]]
            share, gap = np.mean([each[:2] for each in seen], axis=0)
            apart.append(
                {"encoder": variant.title, "scans": str(seen[0][2]), "closer": f"{share:.3f}",
                 "cosine": f"{gap:+.3f}"}
            )  # fmt: skip
    real = {
        title: mean_over([precisions(args, home, one) for one in each])
        for title, each in folders.items()
    }
    synthetic = {
        title: mean_over([synthetic_precisions(home, one) for one in each])
        for title, each in folders.items()
    }
    model = load_model(next(iter(folders.values()))[0], "cpu")
    spacing = " x ".join(f"{s:g}" for s in model.configuration.spacing)
    text = "\n".join(
        [
            "# The contrastive encoder of `ccddpm`",
            "",
            "Written by `benchmarks/contrastive.py`; not edited by hand. Each variant is trained",
            f"on healthy scans and label maps at {spacing} mm, {args.epochs} epochs of",
            f"{model.configuration.iterations_per_epoch} steps of",
            f"{model.configuration.batch_size} samples; {len(args.seeds)} trainings of each, whose",
            "figures are averaged.",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}",
            "",
            "## Scans that it was not trained on",
            "",
            "A slice of each held-out healthy scan in two views. closer: how often two views of",
            "one scan lie closer than views of two scans (chance: 0.5). cosine: of two views, less",
            "that of two scans.",
            "",
            markdown_table(apart),
            "",
            "## AP on synthetic lesions",
            "",
            f"In {len(next(iter(synthetic.values())))} healthy scans that trained and calibrated",
            "nothing, each as it is and rendered as T2 and as FLAIR; the same lesions for all.",
            "",
            markdown_table([{t: f"{np.mean(list(v.values())):.3f}" for t, v in synthetic.items()}]),
            "",
            "Mean over scans with its 95% interval:",
            "",
            *gains(synthetic),
            "",
            "## AP on real lesions",
            "",
            "Few cases a set: differences of a few hundredths may be chance.",
            "",
            markdown_table(set_rows(real)),
            "",
            "Mean over sets with its 95% interval:",
            "",
            *gains(real),
            "",
            *(f"Not trained: {v.title}." for v in VARIANTS if v not in variants),
            "",
        ]
    )
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
