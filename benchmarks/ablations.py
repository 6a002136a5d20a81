"""What each part of the method is worth, at equal minutes of training.

    python benchmarks/ablations.py [--minutes M] [--seeds N]        -> benchmarks/ablations.md

Results are kept as soon as they are there, so that a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import torch
from tqdm import tqdm

from ablation_measures import RealVolume, measure, real_volumes
from ablation_page import write_page
from ablation_train import Trained, Variant, common_split, trained, variants
from disanat.cli.common import set_up_logging
from disanat.errors import DatasetError, DisanatError
from disanat.home import Home, read_json, resolve_home, write_json
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.plans import to_dict
from disanat.training.splits import Split
from steps import ROOT, commit

PAGE = "benchmarks/ablations.md"
RESULTS = "RESULTS.json"
PREPARED = "prepared"
log = logging.getLogger("disanat.benchmarks.ablations")


class Study:
    """All variants, what they have in common, and what was found so far."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.home: Home = resolve_home(args.home)
        self.output: Path = args.output or self.home.root / "ablations"
        dataset = self.home.dataset_name(args.dataset)
        self.variants = variants(self.home, dataset)
        self.split: Split = common_split(self.variants)
        full = self.variants[0]
        header: dict[str, Any] = {
            "dataset": dataset,
            "classes": full.plans.classes,
            "configuration": to_dict(full.configuration),
            "minutes": args.minutes,
            "reference": list(self.split.reference[: args.cases]),
            "judged": list(self.split.threshold[: args.cases]),
            "volumes": args.volumes,
        }
        self.header: dict[str, Any] = json.loads(json.dumps(header))
        self.results: dict[str, dict[str, Any]] = self._earlier()
        self._volumes: dict[tuple[object, ...], list[RealVolume]] = {}

    def _earlier(self) -> dict[str, dict[str, Any]]:
        source = self.output / RESULTS
        if not source.exists():
            return {}
        remedy = "name another folder with --output"
        kept = read_json(source, DatasetError, remedy)
        if kept["header"] != self.header:
            raise DatasetError(f"{source} holds results of another plan or settings: {remedy}.")
        return dict(kept["results"])

    def run(self, variant: Variant, seed: int) -> None:
        """Train and measure one variant; keep what was found, and write the page anew."""
        if str(seed) in self.results.get(variant.name, {}):
            log.info("%s, seed %d: already measured.", variant.name, seed)
            return
        log.info("%s, seed %d: training as %s.", variant.name, seed, variant.trains_as)
        state = commit([str(PAGE)])
        made = self.trained(variant, seed)
        began = time.monotonic()
        volumes = self.volumes(variant)
        log.info("%s, seed %d: measuring, %d real volumes.", variant.name, seed, len(volumes))
        ready = time.monotonic()
        header = self.header
        measures, shares = measure(variant, made, header["reference"], header["judged"], volumes)
        self.results.setdefault(variant.name, {})[str(seed)] = {
            "commit": state,
            "date": datetime.datetime.now().isoformat(" ", "minutes"),
            "steps": made.steps,
            "minutes": made.minutes,
            "preparing_minutes": (ready - began) / 60,
            "measuring_minutes": (time.monotonic() - ready) / 60,
            "parameters": sum(p.numel() for p in made.method.networks().parameters()),
            "shares": shares,
            "measures": measures,
        }
        write_json({"header": self.header, "results": self.results}, self.output / RESULTS)
        self.write()

    def trained(self, variant: Variant, seed: int) -> Trained:
        """The variant's own training, or the full method's weights with its way to predict."""
        by_name = {v.name: v for v in self.variants}
        source = by_name[variant.trains_as]
        name = source.name if seed == 0 else f"{source.name}__seed{seed}"
        made = trained(source, self.split, seed, self.args.minutes, self.output / f"{name}.pt")
        if source is variant:
            return made
        method = DisentangledAnatomy(variant.plans, variant.configuration)
        method.networks().load_state_dict(made.method.networks().state_dict())
        method.networks().eval()
        return replace(made, method=method)

    def volumes(self, variant: Variant) -> list[RealVolume]:
        """Real volumes at the variant's voxel size; those of other sizes are forgotten."""
        key = (variant.configuration.spacing, variant.plans.brain_mask_tool)
        if key not in self._volumes:
            folder = self.output / PREPARED
            self._volumes = {key: real_volumes(self.home, variant, folder, self.args.volumes)}
        return self._volumes[key]

    def write(self) -> str:
        header = self.header | {"seeds": self.args.seeds}
        return write_page(header, self.results, self.variants, self.args.page)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("-d", "--dataset", default="5", help="planned as 2d (default: 5)")
    parser.add_argument("--minutes", type=float, default=6.0, help="of training (default: 6)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings each (default: 1)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variants alone")
    parser.add_argument("--cases", type=int, default=4, help="healthy cases (default: 4)")
    parser.add_argument("--volumes", type=int, help="most real volumes (default: all)")
    parser.add_argument(
        "--output", type=Path, help="for weights and results (default: HOME/ablations)"
    )
    parser.add_argument("--page", type=Path, default=ROOT / PAGE, help=f"default: {PAGE}")
    return parser


def _chosen(study: Study, only: Sequence[str] | None) -> list[Variant]:
    known = {variant.name: variant for variant in study.variants}
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise DatasetError(f"There is no variant {unknown[0]}: use {', '.join(known)}.")
    return [v for v in study.variants if only is None or v.name in only]


def main() -> int:
    args = _parser().parse_args()
    if args.minutes <= 0 or args.seeds < 1 or args.cases < 1:
        _parser().error("--minutes, --seeds and --cases have to be above 0.")
    set_up_logging()
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    failed = []
    try:
        study = Study(args)
        chosen = _chosen(study, args.only)
    except DisanatError as mistake:
        print(mistake, file=sys.stderr)
        return 1
    runs = [(variant, seed) for seed in range(args.seeds) for variant in chosen]
    for variant, seed in tqdm(runs, desc="variants", disable=None):
        try:
            study.run(variant, seed)
        except DisanatError as mistake:
            log.error("%s, seed %d failed: %s", variant.name, seed, mistake)
            failed.append(variant.name)
    if study.results:
        print(study.write())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
