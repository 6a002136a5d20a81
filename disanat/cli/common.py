"""What every command shares: logging, a user's mistakes as one sentence, exit codes.

Imports nothing heavy, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError, PlanError

__all__ = [
    "INTERRUPTED",
    "USER_ERROR",
    "add_home_argument",
    "add_prediction_arguments",
    "add_processes_argument",
    "add_scheduler_argument",
    "add_subgroup_arguments",
    "add_verbose_argument",
    "cuts_of",
    "prepare_processes",
    "run_command",
    "set_up_logging",
]

USER_ERROR = 2
INTERRUPTED = 130
_PACKAGES = ("disanat", "planning", "dataset_conversion")
_RENDERER_GB = 1.5
"""Memory that a process which renders training batches takes; measured: 0.8."""
_FULL_OR_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_GONE_OR_IN_THE_WAY = (
    errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
    errno.EIO, errno.ESTALE,
)  # fmt: skip


class _BarFriendlyHandler(logging.Handler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


def set_up_logging(verbose: bool = False) -> None:
    """Plain messages on stderr: ours from INFO on (DEBUG with `verbose`), others' from WARNING."""
    handler = _BarFriendlyHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s" if verbose else "%(message)s"))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _BarFriendlyHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    for name in _PACKAGES:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


def add_home_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--home`; give `args.home` to `disanat.home.resolve_home`."""
    parser.add_argument(
        "--home",
        metavar="FOLDER",
        help="folder that holds raw/, preprocessed/ and results/ "
        "(default: the environment variable DISANAT_HOME, else ./disanat_home)",
    )


def add_prediction_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--brain_masks` and `--device` of a command that predicts."""
    parser.add_argument(
        "--brain_masks",
        type=Path,
        metavar="FOLDER",
        help="your own brain masks, CASE.nii.gz or CASE_brainmask.nii.gz on the grid of the scan "
        "(default, and for cases without one: the brain is found as the model's plan says)",
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        help="where to predict (default: a GPU if there is one)",
    )


def add_processes_argument(parser: argparse.ArgumentParser) -> None:
    """Add `-np` of a command that trains; give `args.processes` to `prepare_processes`."""
    parser.add_argument(
        "-np",
        "--processes",
        type=int,
        help="processes that render training batches; 0 renders in the main process (default: 0 on "
        "one or two cores, where a renderer only takes the network's time; else half the cores, at "
        "most 4, and fewer where memory is short)",
    )


def add_scheduler_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--scheduler`; give `args.scheduler` to `disanat.preprocessing.cluster.connected`."""
    parser.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT|local",
        help="share the cases out, a task for each, among the workers of this Dask scheduler, who "
        "see the same folders; local: among processes of this machine, which are started for it "
        "(needs pip install 'disanat[dask]')",
    )


def add_subgroup_arguments(parser: argparse.ArgumentParser, several: bool) -> None:
    """Add `--participants`, `--columns` and `--cut`; give `args.cuts` to `cuts_of`.

    Args:
        parser: of a command that judges predictions.
        several: whether it judges several sets, each with a table of its own.
    """
    group = parser.add_argument_group("for whom is it wrong? (documentation/subgroups.md)")
    each = "; of several, one for each folder of -i, in the same order" if several else ""
    group.add_argument(
        "--participants", type=Path, metavar="FILE", nargs="+" if several else None,
        help="participants.tsv as BIDS has it: compares the groups that its columns make, and "
        f"writes subgroups.md, .csv, .json and a picture{each}",
    )  # fmt: skip
    group.add_argument(
        "--columns", nargs="+", metavar="COLUMN", default=[],
        help="compare the groups of these columns alone (default: of all)",
    )  # fmt: skip
    group.add_argument(
        "--cut", dest="cuts", nargs="+", action="append", metavar=("COLUMN", "NUMBER"), default=[],
        help="cut a column of numbers here, such as --cut age 40 60 (default: into terciles); may "
        "be given for several columns",
    )  # fmt: skip


def cuts_of(given: Sequence[Sequence[str]]) -> dict[str, tuple[float, ...]]:
    """What `--cut` says: the numbers of each column.

    Raises:
        DatasetError: one is no number, or a column is named twice.
    """
    cuts: dict[str, tuple[float, ...]] = {}
    for column, *texts in given:
        if column in cuts:
            raise DatasetError(f"--cut {column} is given twice: give all its numbers at once.")
        if not texts:
            raise DatasetError(f"--cut {column} names no number: write --cut {column} 40 60.")
        try:
            cuts[column] = tuple(float(text) for text in texts)
        except ValueError:
            raise DatasetError(
                f"--cut {column} {' '.join(texts)} is no list of numbers: write --cut {column} 40 "
                "60, for instance."
            ) from None
    return cuts


def add_verbose_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--verbose`, which every command has."""
    parser.add_argument("--verbose", action="store_true", help="say more while running")


def prepare_processes(wanted: int | None) -> int:
    """How many processes render; to be called before torch is imported.

    Raises:
        PlanError: fewer than none are wanted.
    """
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes that train together here
    cores = (os.cpu_count() or 1) // beside
    workers = wanted
    if workers is None:
        from disanat.preprocessing.parallel import workers_that_fit  # --help must be quick

        workers = 0 if cores <= 2 else workers_that_fit(min(4, cores // 2), _RENDERER_GB * beside)
    if workers < 0:
        raise PlanError(f"-np {workers} is no number of processes: give 0 or more.")
    if workers > 0:
        # Threads that wait without spinning: the renderers need the time they would burn.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return workers


def run_command(
    function: Callable[[argparse.Namespace], int],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse `argv` and run `function` with it; its return value is the exit code.

    A `DisanatError` becomes one line on stderr and exit code 2, as does a disk that is full or
    that may not be written to, and a file that is gone or in the way; Ctrl-C becomes one line and
    130. Any other exception is a defect
    of disanat and passes through with its traceback.
    """
    add_verbose_argument(parser)
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete  # the shell asks for completion, which needs the extra `completion`

        argcomplete.autocomplete(parser)
    args = parser.parse_args(argv)
    set_up_logging(args.verbose)
    try:
        return function(args)
    except DisanatError as mistake:
        _say(f"error: {mistake}")
        return USER_ERROR
    except KeyboardInterrupt:
        _say("interrupted: stopped at your request.")
        return INTERRUPTED
    except OSError as cause:
        if cause.errno in _FULL_OR_FORBIDDEN:
            remedy = "check the folder's rights and the free space"
        elif cause.errno in _GONE_OR_IN_THE_WAY and cause.filename:
            remedy = "check that the path is right, and that nothing has moved or replaced it"
        else:
            raise
        _say(
            f"error: {cause.filename or 'A file'} cannot be read or written ({cause.strerror}): "
            f"{remedy}."
        )
        return USER_ERROR


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
