"""`disanat_stress`: does the detection survive an accelerated, blurred or thick-sliced scan?"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from disanat import __version__
from disanat.cli.common import add_home_argument, add_prediction_arguments, run_command
from disanat.home import resolve_home

if TYPE_CHECKING:
    from disanat.experiments.stress import Stress, Study
    from disanat.inference.predictor import Predictor

__all__ = ["build_parser", "main"]

log = logging.getLogger(__name__)

_FAILED = 1


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_stress",
        description=(
            "Degrade scans as other acquisitions would (undersampling, off-resonance, motion, low "
            "field, thick slices, other intensities), at five strengths each, predict them, and "
            "write one table and one figure: what becomes of the detection, of the false positives "
            "in healthy brains and of the anatomy. Everything is simulated from magnitude images. "
            "A study that was interrupted goes on when the same command is given again."
        ),
        epilog="example: disanat_stress -i scans -l labels -o stress",
    )
    parser.add_argument(
        "-i", "--input", required=True, type=Path,
        help="folder of scans (CASE_0000.nii.gz, or plain names for one channel), or one scan",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FOLDER",
        help="where to write stress.md, stress.csv and stress.png",
    )  # fmt: skip
    parser.add_argument(
        "-l", "--labels", type=Path, metavar="LABELS",
        help="folder of expert masks, CASE.nii.gz; a case without one, or with an empty one, is "
        "taken for healthy (default: all are)",
    )  # fmt: skip
    parser.add_argument(
        "-m", "--model",
        help="a model's folder, a method's name such as dal, the name of an imported or calibrated "
        "model, or pretrained: the model that ships with disanat (default: the one that finished "
        "training last; with nothing trained yet, the one that ships)",
    )  # fmt: skip
    parser.add_argument("-d", "--dataset", help="take a model of this dataset")
    parser.add_argument("-c", "--configuration", help="take a model of this configuration")
    parser.add_argument("-f", "--fold", help="take the model of this fold (0 to 4, or all)")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME",
        help="only these degradations: cartesian, cartesian_tv, radial, radial_tv, off_resonance, "
        "ghosts, low_field, slices, gamma_dark, gamma_bright, scale, inverted (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--use_channels", nargs="+", type=int, metavar="K", help="use only these channels"
    )
    parser.add_argument(
        "--restore", type=int, metavar="K",
        help="restore thick slices too, guided by channel K, which stays fine, and say what that "
        "gains; channel K is then not predicted itself",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, help="of masks, noise and motion (default: 0)"
    )
    add_prediction_arguments(parser)
    add_home_argument(parser)
    return parser


def _head(
    study: Study, found: Stress, predictor: Predictor, device: str
) -> list[tuple[str, str]]:
    """What the page says of how it was made."""
    model = predictor.model
    first = {r.case: r.healthy for r in found.results}
    guided = "" if study.guide is None else f"; channel {study.guide} guides, and is not predicted"
    return [
        ("model", f"{model.method.name} on {model.plans.dataset}, {model.configuration.name}"),
        ("threshold", predictor.told_mask_rules()),
        ("cases", f"{sum(not h for h in first.values())} with lesions, {sum(first.values())} "
                  f"healthy{guided}"),
        ("seed", str(study.seed)),
        ("predicted on", device),
        ("written", datetime.now().isoformat(" ", "minutes")),
        ("disanat", __version__),
    ]  # fmt: skip


def _run(args: argparse.Namespace) -> int:
    from disanat.experiments.stress import Study, stress
    from disanat.experiments.stress_kinds import chosen
    from disanat.experiments.stress_table import write_pages
    from disanat.inference.find import find_model
    from disanat.inference.predictor import Predictor
    from disanat.networks.precision import default_device

    home = resolve_home(args.home)
    kinds = chosen(args.only, args.restore is not None)
    study = Study(
        scans=args.input,
        folder=args.output,
        degradations=kinds,
        labels=args.labels,
        brain_masks=args.brain_masks,
        channels=None if args.use_channels is None else tuple(args.use_channels),
        guide=args.restore,
        seed=args.seed,
    )
    dataset = home.dataset_name(args.dataset) if args.dataset else None
    folder = find_model(home, args.model, dataset, args.configuration, args.fold)
    log.info("Stressing %s.", folder)
    device = args.device or default_device()
    predictor = Predictor.from_folder(folder, device)
    page, failed = "", False
    for found in stress(study, predictor):
        page = write_pages(_head(study, found, predictor, device), found, kinds, args.output)
        failed = bool(found.failed)
    print(f"{page}\nWritten: {args.output / 'stress.md'}, and beside it stress.csv and stress.png")
    return _FAILED if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
