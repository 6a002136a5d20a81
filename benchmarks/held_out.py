"""What the benchmarks that judge a trained model share: the model, and cases it has not seen."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from disanat.errors import DatasetError, ModelError
from disanat.home import Home, atomic_path, read_json, resolve_home
from disanat.inference.find import find_model
from disanat.inference.model import DESCRIPTION, REMEDY, Model, load_model
from disanat.io.dataset import read_dataset
from disanat.io.store import StoredCase, open_case
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.ensemble import Ensemble
from disanat.methods.interface import PreparedChannel
from disanat.networks.precision import default_device
from disanat.preprocessing.label_maps import preprocess_label_map
from disanat.preprocessing.normalisation import IntensityScale, intensity_scale
from disanat.scoring.intensity import Imaging
from disanat.synthesis.render import EXTRACEREBRAL, CaseSample
from disanat.tissues import scheme_by_names
from disanat.training.train import cases_folder
from steps import ROOT, commit, machine

__all__ = ["HeldOut", "Judged", "build_parser", "cell", "judge", "unseen_maps", "write_page"]

_GROUPS = ("validation_cases", "threshold_cases", "reference_cases")
_MARGIN_MM = 6.0
_SAMPLE = 20000


@dataclass(frozen=True)
class HeldOut:
    """A healthy case that no network was trained on, cropped to its brain; axes S, P, L.

    `image` is standardised in the brain, with -4 elsewhere; `labels` holds the class
    numbers and `EXTRACEREBRAL` and above outside the brain, `whole` the image with its skull.
    """

    name: str
    image: np.ndarray
    whole: np.ndarray
    labels: np.ndarray
    sample: CaseSample
    spacing: tuple[float, float, float]

    @property
    def tissue(self) -> np.ndarray:
        """Class numbers, 0 outside the brain."""
        return np.where(self.labels < EXTRACEREBRAL, self.labels, 0)

    @property
    def brain(self) -> np.ndarray:
        return self.tissue > 0


@dataclass(frozen=True)
class Judged:
    """A trained model, the networks of its members, and the cases to judge it by."""

    model: Model
    members: tuple[DisentangledAnatomy, ...]
    cases: tuple[HeldOut, ...]
    home: Home
    facts: dict[str, object]

    def channel(
        self, image: np.ndarray, brain: np.ndarray
    ) -> tuple[PreparedChannel, IntensityScale]:
        """A changed scan standardised in its brain, as a new scan would be, and by what scale."""
        scale = intensity_scale(image[brain])
        shown = scale.standardise(image, brain)
        spacing = self.model.configuration.spacing
        return PreparedChannel(shown, brain, spacing, shown, brain, spacing), scale

    def anatomies(self, channel: PreparedChannel) -> tuple[np.ndarray, np.ndarray]:
        """Class numbers as the encoder sees them, and after restoration."""
        seen = [m.anatomy(channel.image) for m in self.members]
        restored = [m.restore(p) for m, p in zip(self.members, seen)]
        return np.mean(seen, axis=0).argmax(0), np.mean(restored, axis=0).argmax(0)

    def painted(self, anatomy: np.ndarray, imaging: Imaging) -> np.ndarray:
        """What the decoder makes of an anatomy, standardised."""
        return np.mean([m.paint(anatomy, imaging) for m in self.members], axis=0)


def build_parser(description: str, page: str) -> argparse.ArgumentParser:
    """The arguments of a benchmark that judges a model."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-m", "--model", default="dal", help="folder (default: the last dal model)")
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("--cases", type=int, default=12, help="healthy cases (default: 12)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default=default_device())
    parser.add_argument("--seed", type=int, default=0, help="of all randomness (default: 0)")
    parser.add_argument("--page", type=Path, default=ROOT / page, help=f"default: {page}")
    return parser


def judge(args: argparse.Namespace) -> Judged:
    """Load the model and its held-out cases.

    Raises:
        DisanatError: there is no such model, it is of another method, or its cases are gone.
    """
    home = resolve_home(args.home)
    model = load_model(find_model(home, args.model), args.device)
    method = model.method
    parts = method.members if isinstance(method, Ensemble) else (method,)
    members = tuple(m for m in parts if isinstance(m, DisentangledAnatomy))
    if len(members) != len(parts):
        raise ModelError(f"{model.folder} is no model of method dal: name one with -m.")
    facts = read_json(model.folder / DESCRIPTION, ModelError, REMEDY)["facts"]
    names = [name for group in _GROUPS for name in facts.get(group, ())][: args.cases]
    if not names:
        raise DatasetError(f"{model.folder} names no held-out case: give --cases 1 or more.")
    folder = cases_folder(home, model.plans, model.configuration)
    rng = np.random.default_rng(args.seed)
    spacing = model.configuration.spacing
    cases = tuple(_held_out(rng, open_case(folder, name), spacing) for name in names)
    return Judged(model, members, cases, home, facts)


def unseen_maps(judged: Judged, seed: int) -> tuple[HeldOut, ...]:
    """Label maps of `labelmapsTs` in the model's dataset, without scans; none where there is none.

    Their images are flat pictures of the maps: only what is rendered from them can be judged.
    """
    model, folder = judged.model, judged.home.raw / judged.model.plans.dataset
    if not (folder / "labelmapsTs").is_dir():
        return ()
    mapping, scheme = read_dataset(folder).map_mapping, scheme_by_names(model.plans.classes)
    rng, spacing = np.random.default_rng(seed), model.configuration.spacing
    maps = sorted((folder / "labelmapsTs").glob("*.nii*"))
    stored = [preprocess_label_map(p.name.split(".")[0], p, mapping, spacing, scheme) for p in maps]
    return tuple(_held_out(rng, case, spacing) for case in stored)


def _held_out(
    rng: np.random.Generator, stored: StoredCase, spacing: tuple[float, float, float]
) -> HeldOut:
    image, labels = np.asarray(stored.image[0]), np.asarray(stored.labels[:])
    brain = (labels > 0) & (labels < EXTRACEREBRAL)
    chosen = rng.choice(np.flatnonzero(brain), _SAMPLE)
    scanned = bool(stored.channels)
    sample = CaseSample(image.ravel()[chosen], labels.ravel()[chosen], scanned)
    places = np.argwhere(brain)
    margin = [int(np.ceil(_MARGIN_MM / s)) for s in spacing]
    box = tuple(
        slice(max(0, int(low) - m), int(high) + m + 1)
        for low, high, m in zip(places.min(0), places.max(0), margin)
    )
    whole, labels, brain = image[box], labels[box], brain[box]
    shown = intensity_scale(whole[brain]).standardise(whole, brain)
    return HeldOut(stored.name, shown, whole, labels, sample, spacing)


def cell(values: Sequence[float] | np.ndarray) -> str:
    """Mean and smallest of the scans; what could not be measured (NaN) does not count."""
    known = [v for v in values if np.isfinite(v)]
    return f"{np.mean(known):.3f} ({np.min(known):.3f})" if known else "n/a"


def write_page(
    judged: Judged, args: argparse.Namespace, minutes: float, body: Sequence[str]
) -> str:
    """Write a page, with what was measured and where below its title; returns it."""
    folder = judged.model.folder
    inside = folder.is_relative_to(judged.home.root)
    there = folder.relative_to(judged.home.root) if inside else folder.name
    page = "\n".join(
        [
            *body[:1],
            "",
            f"Written by `benchmarks/{Path(sys.argv[0]).name}`; not edited by hand.",
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([str(args.page)])}",
            f"- machine: {machine()}; {args.device}; {minutes:.0f} min",
            f"- model: {there}, trained for {judged.facts.get('epochs', '?')} epochs in "
            f"{judged.facts.get('minutes', '?')} min",
            f"- {len(judged.cases)} healthy cases that no network was trained on, at "
            f"{' x '.join(f'{s:g}' for s in judged.model.configuration.spacing)} mm, brain only: "
            f"{', '.join(c.name for c in judged.cases)}",
            *body[1:],
            "",
        ]
    )
    with atomic_path(args.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return page
