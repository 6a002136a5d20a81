"""`disanat_calibrate`: make a copy of a model whose thresholds hold at another site."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import add_home_argument, add_prediction_arguments, run_command
from disanat.home import resolve_home

__all__ = ["build_parser", "main"]

log = logging.getLogger(__name__)

_LEFT_OUT = 1


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_calibrate",
        description=(
            "Calibrate a model for another scanner on healthy scans from there, five at least. No "
            "network is trained: a copy of the model gets thresholds and a healthy reference of "
            "its own. Prints how far the old thresholds were off. disanat_predict -m NAME takes "
            "the copy."
        ),
        epilog="example: disanat_calibrate -i our_healthy_scans --name our_scanner",
    )
    parser.add_argument(
        "-i",
        "--input",
        required=True,
        type=Path,
        help="folder of healthy scans (CASE_0000.nii.gz, or plain names for one channel), of the "
        "contrasts that will be predicted, of people whom the model was not trained on",
    )
    parser.add_argument(
        "--name", required=True, help="name of the copy, for -m of disanat_predict"
    )
    parser.add_argument(
        "-m",
        "--model",
        help="a model's folder, a method's name such as dal, the name of an imported model, or "
        "pretrained: the model that ships with disanat (default: the one that finished training "
        "last; with nothing trained yet, the one that ships)",
    )
    parser.add_argument("-d", "--dataset", help="take a model of this dataset")
    parser.add_argument("-c", "--configuration", help="take a model of this configuration")
    parser.add_argument("-f", "--fold", help="take the model of this fold (0 to 4, or all)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the synthetic lesions (default: 0)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a copy that has this name"
    )
    add_prediction_arguments(parser)
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.experiments.site import calibrate_for_site
    from disanat.experiments.site_copy import check_place, promise_rows, write_copy
    from disanat.inference.find import calibrated_folder, find_model
    from disanat.inference.model import load_model
    from disanat.locks import hold
    from disanat.networks.precision import default_device
    from disanat.reporting.markdown import markdown_table

    home = resolve_home(args.home)
    dataset = home.dataset_name(args.dataset) if args.dataset else None
    source = find_model(home, args.model, dataset, args.configuration, args.fold)
    target = calibrated_folder(home, args.name)
    check_place(source, target, args.overwrite)
    log.info("Calibrating %s.", source)
    with hold(target, "calibrating"):
        model = load_model(source, args.device or default_device())
        found = calibrate_for_site(model, args.input, args.brain_masks, args.seed)
        write_copy(source, target, args.name, found)
    print(f"{found.scans} healthy scans ({', '.join(found.contrasts)}-like)\n")
    print(markdown_table(promise_rows(found)))
    print(
        f"\nBefore, {found.rare_before} of {found.scans} healthy scans had a case p-value of 0.10 "
        f"or less, and {found.flagged_before} were flagged as unlike the training."
        f"\nPredict with it: disanat_predict -m {args.name}. Written to {target}"
    )
    return _LEFT_OUT if found.left_out else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
