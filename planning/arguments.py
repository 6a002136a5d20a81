"""The flags of `disanat_plan_and_preprocess`."""

from __future__ import annotations

import argparse
import re

from disanat.cli.common import add_home_argument, add_scheduler_argument
from disanat.plans import ATLAS_ROUTES, BRAIN_MASK_TOOLS, NORMS
from planning.planner import CONFIGURATIONS
from planning.prior import PRIORS

__all__ = ["build_parser"]

_DESCRIPTION = """\
Look at a dataset of healthy brain scans, decide how to train on it, and prepare the scans.

The dataset lies in HOME/raw/DatasetXXX_Name: dataset.json, imagesTr/CASE_0000.nii.gz and so on
(see documentation/dataset_format.md). Every decision is printed with its reason. What is written,
all to HOME/preprocessed/DatasetXXX_Name:
  dataset_fingerprint.json   what the dataset looks like
  plans.json                 what was decided
  2d/                        the prepared scans, one folder for each configuration
"""
_EXAMPLES = """\
examples:
  disanat_plan_and_preprocess -d 5                       plan and prepare Dataset005_...
  disanat_plan_and_preprocess -d 5 --verify              only check its files
  disanat_plan_and_preprocess -d 5 --gpu_memory_gb 8     plan for a GPU with 8 GB
  disanat_plan_and_preprocess -d 5 -c 2d 3d_fullres      prepare for 3D as well
Next: disanat_train
"""


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="disanat_plan_and_preprocess",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-d",
        "--dataset",
        required=True,
        metavar="DATASET",
        help="number or name of the dataset, such as 5, 005 or Dataset005_IXI",
    )
    add_home_argument(parser)
    parser.add_argument(
        "--gpu_memory_gb",
        type=_positive,
        metavar="GB",
        help="plan for a GPU with this much memory, wherever this command runs "
        "(default: this machine's GPU; without one, its cores and main memory)",
    )
    parser.add_argument(
        "-c",
        "--configurations",
        nargs="+",
        choices=CONFIGURATIONS,
        default=["2d"],
        metavar="NAME",
        help="what to plan and prepare: 2d (slices with their neighbours; the default), "
        "3d_fullres (blocks; slower, needs more memory), 3d_lowres (the whole brain on a coarser "
        "grid, where 3d_fullres sees less than half of it)",
    )
    parser.add_argument(
        "-np",
        "--processes",
        type=_count,
        metavar="N",
        help="how many cases to work on at the same time; 0: one after the other, without worker "
        "processes (default: the cores there are, at most 4, and fewer where memory is short)",
    )
    add_scheduler_argument(parser)
    _add_overrides(parser)
    parser.add_argument(
        "--no_pp", action="store_true", help="only plan: do not preprocess the scans"
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--verify",
        action="store_true",
        help="only check every file, and list all problems in one table; nothing is written",
    )
    only.add_argument(
        "--explain",
        action="store_true",
        help="only print the decisions of the plan that was made last",
    )
    return parser


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    experts = parser.add_argument_group("for experts", "recorded in the plan as set by you")
    experts.add_argument(
        "--overwrite_target_spacing",
        nargs=3,
        type=_positive,
        metavar=("S", "P", "L"),
        help="voxel size in mm that all scans are resampled to",
    )
    experts.add_argument(
        "--patch_size",
        nargs="+",
        type=_count,
        metavar="N",
        help="in voxels: two numbers for 2d, three for 3d_fullres and 3d_lowres",
    )
    experts.add_argument("--batch_size", type=_count, metavar="N", help="an even number")
    experts.add_argument(
        "--norm",
        choices=NORMS,
        help="what normalises the features of the U-Nets: each by itself (instance; the default), "
        "in 8 groups, or all together (layer)",
    )
    experts.add_argument(
        "--brain_mask_tool",
        choices=BRAIN_MASK_TOOLS,
        help="what finds the brain in whole heads, here and at prediction: disanat's own extractor "
        "(default), or HD-BET or SynthStrip, which you must have installed",
    )
    experts.add_argument(
        "--bias_correction",
        action="store_true",
        help="take the bias field out of each scan by N4, here and at prediction (default: leave "
        "it in; networks and score know fields)",
    )
    experts.add_argument(
        "--standardisation",
        choices=("brain", "dataset"),
        default="brain",
        help="standardise each scan by its own brain (the default), or all scans, at prediction "
        "too, by one scale from this dataset: for intensities that have units",
    )
    experts.add_argument(
        "--no_resampling",
        action="store_true",
        help="leave all scans in their own voxel size, here and at prediction",
    )
    experts.add_argument(
        "--plans_name",
        type=_name,
        metavar="NAME",
        help="keep this plan and its scans beside the usual one, in plans_NAME; train from it with "
        "disanat_train -p NAME",
    )
    experts.add_argument(
        "--prior",
        choices=PRIORS,
        help="where the tissues of the scans come from: the label maps in priorsTr, the anatomy "
        "encoder that ships with disanat, or an atlas by registration (default: the first of them "
        "that is there)",
    )
    experts.add_argument(
        "--atlas_registration",
        choices=ATLAS_ROUTES,
        help="how the atlas of --prior atlas is brought onto a scan: by the tissues that the "
        "shipped encoder sees in both (anatomy; the default where one ships), by these and then "
        "mutual information (both), or by mutual information alone (intensity)",
    )


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not made of letters, digits and - alone")
    return text


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100_000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return value


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 on")
    return int(text)
