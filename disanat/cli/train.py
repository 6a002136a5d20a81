"""`disanat_train`: train a method on a planned dataset."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import textwrap
import time
from collections.abc import Sequence

from disanat.ablations import MEANINGS
from disanat.cli.common import (
    INTERRUPTED,
    add_home_argument,
    add_processes_argument,
    prepare_processes,
    run_command,
)
from disanat.errors import DisanatError, PlanError

__all__ = ["build_parser", "main"]

_LET_IT_SPEAK_S = 5.0


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
    several = parser.add_mutually_exclusive_group()
    several.add_argument(
        "--num_gpus",
        type=int,
        metavar="N",
        help="share each batch among N GPUs of this machine, one process for each; for several "
        "machines start it with torchrun (documentation/scaling.md)",
    )
    several.add_argument(
        "--num_cpu_ranks",
        type=int,
        metavar="N",
        help="share each batch among N processes without a GPU; OMP_NUM_THREADS says how many "
        "threads each has (default: its part of the cores)",
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
    count = args.num_gpus if args.num_gpus is not None else args.num_cpu_ranks
    if count is not None and "RANK" not in os.environ:
        return _launch(args, count)
    leads = os.environ.get("RANK", "0") == "0"
    if "RANK" in os.environ:
        # Else torch advises, once a process, to promise that every network has a gradient.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from disanat.networks.precision import default_device
    from disanat.training.loop import follow
    from disanat.training.ranks import LAUNCHED, LOST, LostError, joined

    try:
        with joined(args.device or default_device()) as ranks:
            if ranks.leads:
                _train(args, workers)
            else:
                logging.getLogger("disanat").setLevel(logging.WARNING)
                follow(ranks)
    except LostError:
        if leads and LAUNCHED not in os.environ:
            raise
        return LOST
    except DisanatError:
        if not leads:
            # The leading process may be about to say the same, and then stops this one.
            time.sleep(_LET_IT_SPEAK_S)
        raise
    except KeyboardInterrupt:
        if leads:
            raise
        return INTERRUPTED
    return 0


def _launch(args: argparse.Namespace, count: int) -> int:
    """Start as many processes, which share the work of this command."""
    from disanat.training.launch import launch

    device = "cuda" if args.num_gpus is not None else "cpu"
    if args.device not in (None, device):
        raise PlanError(
            f"--device {args.device} does not go with --num_"
            f"{'gpus' if device == 'cuda' else 'cpu_ranks'}: leave it out."
        )
    return launch("disanat.cli.train", [*args.argv, "--device", device], count, device)


def _train(args: argparse.Namespace, workers: int) -> None:
    from disanat.api.models import train

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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = build_parser()
    parser.set_defaults(argv=list(sys.argv[1:] if argv is None else argv))
    return run_command(_run, parser, argv)


if __name__ == "__main__":
    sys.exit(main())
