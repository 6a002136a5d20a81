"""`disanat_predict`: make pseudo-healthy images, anomaly maps and lesion masks of new scans."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from disanat.cli.common import (
    add_home_argument,
    add_prediction_arguments,
    add_scheduler_argument,
    run_command,
)
from disanat.errors import DatasetError

__all__ = ["build_parser", "main"]

log = logging.getLogger(__name__)

_FAILED = 1


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(
        prog="disanat_predict",
        description=(
            "Find lesions in brain scans of any contrast. For each case: CASE.nii.gz (lesion "
            "mask), CASE_anomaly.nii.gz (-log10 of how rare such a score is in healthy brains), "
            "CASE_000X_phi.nii.gz (pseudo-healthy image), all in the scan's own geometry; and "
            "predictions.csv. With no model named, the one that finished training last is taken; "
            "with nothing trained yet, the one that ships with disanat."
        ),
        epilog="example: disanat_predict -i scans -o results",
    )
    parser.add_argument(
        "-i",
        "--input",
        required=True,
        type=Path,
        help="folder of scans (CASE_0000.nii.gz, or plain names for one channel), or one file",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, help="folder for the results")
    parser.add_argument(
        "-m",
        "--model",
        help="a model's folder, a method's name such as dal or threshold, the name of an imported "
        "model, or pretrained: the model that ships with disanat",
    )
    parser.add_argument("-d", "--dataset", help="take a model of this dataset")
    parser.add_argument("-c", "--configuration", help="take a model of this configuration")
    parser.add_argument(
        "-f",
        "--fold",
        nargs="+",
        help="take the model of this fold (0 to 4, or all), or the ensemble of these folds",
    )
    parser.add_argument(
        "--threshold",
        default="best",
        metavar="best|1%|5%|NUMBER",
        help="of the lesion mask: best (default) has the best Dice on synthetic lesions while "
        "healthy brains stay clean, and asks for a higher value somewhere in each lesion; 1%% and "
        "5%% leave so many voxels of healthy brains above them; a number is in units of the "
        "anomaly map",
    )
    parser.add_argument(
        "--save",
        nargs="+",
        default=["phi"],
        choices=("phi", "anatomy", "edges", "filled", "dicom_seg"),
        help="what to write beside mask, anomaly map and brain mask (default: phi); filled: the "
        "scan with its pseudo-healthy image in place of the lesions; dicom_seg: the mask as a "
        "DICOM segmentation, of DICOM scans (needs disanat[dicom])",
    )
    parser.add_argument(
        "--register",
        nargs="?",
        const="both",
        choices=("both", "anatomy", "intensity"),
        help="bring channels that lie on another grid onto the grid of the first channel, by rigid "
        "registration: by their anatomy, by their intensity (mutual information), or by both, "
        "first the one and then the other, if nothing is named (default: they are refused)",
    )
    parser.add_argument(
        "--channels",
        nargs="+",
        default=(),
        metavar="NAME",
        help="what the channels are called, in the order of their numbers, such as FLAIR T1; "
        "recorded in the results",
    )
    parser.add_argument(
        "--use_channels",
        nargs="+",
        type=int,
        metavar="K",
        help="use only these channels of each case, such as 0 2 (default: all there are)",
    )
    parser.add_argument(
        "--num_parts",
        type=int,
        default=1,
        metavar="N",
        help="share the cases out among N processes or machines that write into one folder",
    )
    parser.add_argument(
        "--part_id",
        type=int,
        default=0,
        metavar="K",
        help="predict part K of these, from 0 to N - 1 (default: 0)",
    )
    add_scheduler_argument(parser)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="predict again what is there (default: cases that were predicted from the same files "
        "with the same model and settings are kept, so that what was interrupted goes on)",
    )
    parser.add_argument(
        "--bids",
        action="store_true",
        help="lay the results out as BIDS derivatives: OUTPUT/sub-01/anat/... with a JSON file "
        "beside each image; cases keep the entities of their names",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="no mirroring, fewer overlaps, and bfloat16 where the device has it: the networks "
        "need half the time or less, and the result is less exact",
    )
    parser.add_argument(
        "--at_once",
        type=int,
        default=2,
        choices=(1, 2),
        help="cases in work at a time: with 2 (default) one is read, prepared and written while "
        "the networks work on the other; 1 needs less memory; the results are the same",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write report.html into the results as well, as disanat_report does",
    )
    add_prediction_arguments(parser)
    add_home_argument(parser)
    return parser


def _run(args: argparse.Namespace) -> int:
    from disanat.api.models import load_predictor
    from disanat.inference.folder import predict_folder
    from disanat.inference.registering import usual_route
    from disanat.preprocessing.cluster import connected

    if not 0 <= args.part_id < args.num_parts:
        raise DatasetError(
            f"--part_id {args.part_id} is none of {args.num_parts} parts: give 0 to --num_parts "
            "minus 1."
        )
    predictor = load_predictor(
        args.model,
        home=args.home,
        dataset=args.dataset,
        configuration=args.configuration,
        folds=args.fold,
        device=args.device,
        threshold=args.threshold,
        fast=args.fast,
    )
    extras = tuple(dict.fromkeys(args.save))
    with connected(args.scheduler) as cluster:
        rows = predict_folder(
            predictor,
            args.input,
            args.output,
            extras,
            args.use_channels,
            args.brain_masks,
            (args.part_id, args.num_parts),
            args.overwrite,
            usual_route() if args.register == "both" else args.register,
            args.channels,
            args.bids,
            cluster=cluster,
            at_once=args.at_once,
        )
    if args.report:
        from disanat.reporting.report.write import write_report

        log.info("Report: %s", write_report(args.output, scans=args.input))
    failed = [row for row in rows if row.status == "failed"]
    log.info("%d of %d cases predicted: %s", len(rows) - len(failed), len(rows), args.output)
    flagged = [row.case for row in rows if row.flags]
    if flagged:
        log.warning("%d unlike the scans of the training: %s", len(flagged), ", ".join(flagged))
    if failed:
        log.warning(
            "%d failed:\n%s", len(failed), "\n".join(f"  {r.case}: {r.message}" for r in failed)
        )
        return _FAILED
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(_run, build_parser(), argv)
