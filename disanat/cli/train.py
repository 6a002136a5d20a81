"""`disanat_train`: train a method on a planned dataset."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence

from disanat.ablations import MEANINGS
from disanat.cli.common import (
    add_home_argument,
    add_processes_argument,
    prepare_processes,
    run_command,
)

__all__ = ["build_parser", "main"]


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_train",
        description=textwrap.fill(
            "Train on the healthy scans of a planned dataset. With nothing given: the most "
            "recently planned dataset, its recommended configuration, fold 0, method dal."
        ),
        epilog=f"names for --ablate:\n{_meanings()}\n\nexample: disanat_train -d 5 -f all",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-d", "--dataset", help="dataset: 5, 005 or Dataset005_IXI")
    parser.add_argument(
        "-c", "--configuration", help="configuration of the plan, such as 2d or 3d_fullres"
    )
    parser.add_argument(
        "-f",
        "--fold",
        nargs="+",
        default=["0"],
        help="0 to 4: keep a fifth of the cases for validation; all: train on them as well; "
        "several: train one after the other, then calibrate them as an ensemble (default: 0)",
    )
    parser.add_argument(
        "-m",
        "--method",
        default="dal",
        help="dal (default); threshold, the baseline without training; or a rival of dal, such as "
        "ae or dae: documentation/rivals.md lists them",
    )
    parser.add_argument(
        "-p",
        "--plans_name",
        default="",
        help="train from the plan that was given this name (default: the plan without a name)",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last epoch of a finished training too, or with other --epochs; one "
        "that was interrupted goes on by itself when the same command is given again",
    )
    again.add_argument(
        "--restart", action="store_true", help="train anew where a training was interrupted"
    )
    parser.add_argument(
        "--pretrained_weights",
        metavar="MODEL",
        help="start from the weights of a finished model: its folder, or pretrained for the one "
        "that ships with disanat",
    )
    parser.add_argument("--epochs", type=int, help="train this many epochs instead of the plan's")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="where to train (default: a GPU if there is one)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all randomness (default: 0)")
    add_processes_argument(parser)
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write losses, figures and pictures for TensorBoard too, into the folder tensorboard "
        "of the model (needs pip install 'disanat[tensorboard]')",
    )
    parser.add_argument(
        "--ablate",
        nargs="+",
        default=[],
        metavar="NAME",
        help="train dal without some of its parts, into a folder of its own, to see what they are "
        "worth; the names are listed below (free_contrasts and t1_only are for all methods)",
    )
    add_home_argument(parser)
    return parser


def _meanings() -> str:
    """A paragraph for each ablation, its meaning beside its name."""
    beside = 2 + max(map(len, MEANINGS)) + 2
    return "\n".join(
        textwrap.fill(
            meaning,
            79,
            initial_indent=f"  {name}".ljust(beside),
            subsequent_indent=" " * beside,
            break_on_hyphens=False,
        )
        for name, meaning in MEANINGS.items()
    )


def _run(args: argparse.Namespace) -> int:
    workers = prepare_processes(args.processes)
    from disanat.api import train

    train(
        args.dataset,
        args.method,
        args.configuration,
        args.fold,
        home=args.home,
        device=args.device,
        epochs=args.epochs,
        seed=args.seed,
        processes=workers,
        resume=args.resume,
        restart=args.restart,
        tensorboard=args.tensorboard,
        pretrained=args.pretrained_weights,
        plans_name=args.plans_name,
        ablations=args.ablate,
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
