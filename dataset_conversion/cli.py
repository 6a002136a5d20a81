"""`disanat_convert`: turn a known dataset's folder into disanat's layout."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_conversion import (
    brats2013,
    brats2021,
    isbi2015,
    ixi,
    label_maps,
    lgg,
    mslesseg,
    mslub,
    simulated,
)
from disanat.cli.common import add_home_argument, run_command
from disanat.errors import DatasetError
from disanat.home import Home, resolve_home

__all__ = ["CONVERTERS", "Converter", "build_parser", "main"]


@dataclass(frozen=True)
class Converter:
    """One set: what it is in a few words, its usual number, and the function that converts it."""

    title: str
    dataset_id: int
    convert: Callable[[Path, Home, int, bool], Path]
    needs_source: bool = True


def _simulate(_source: Path, home: Home, dataset_id: int, _link: bool) -> Path:
    return simulated.convert(home, dataset_id)


CONVERTERS: Mapping[str, Converter] = {
    "ixi": Converter("healthy T1 with DLMUSE maps (training)", ixi.DATASET_ID, ixi.convert),
    "label_maps": Converter(
        "label maps without scans (FreeSurfer's numbers), added to a dataset",
        ixi.DATASET_ID,
        label_maps.add,
    ),
    "brats2013": Converter("glioma, FLAIR and T1c", brats2013.DATASET_ID, brats2013.convert),
    "brats2021": Converter("glioma, four contrasts", brats2021.DATASET_ID, brats2021.convert),
    "mslub": Converter("multiple sclerosis, three contrasts", mslub.DATASET_ID, mslub.convert),
    "mslesseg": Converter(
        "multiple sclerosis, three contrasts", mslesseg.DATASET_ID, mslesseg.convert
    ),
    "isbi2015": Converter(
        "multiple sclerosis, thick FLAIR, two raters", isbi2015.DATASET_ID, isbi2015.convert
    ),
    "lgg": Converter("lower-grade glioma, skull in", lgg.DATASET_ID, lgg.convert),
    "simulated": Converter(
        "simulated brains (no source needed)", simulated.DATASET_ID, _simulate, False
    ),
}


def build_parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    listed = "\n".join(
        f"  {name:<10} {c.title}; dataset {c.dataset_id}" for name, c in CONVERTERS.items()
    )
    parser = argparse.ArgumentParser(
        prog="disanat_convert",
        description="Turn the folder of a known set into HOME/raw/DatasetXXX_Name.",
        epilog=f"sets:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=list(CONVERTERS), help="which set it is")
    parser.add_argument("-i", "--input", type=Path, help="the set's folder, as downloaded")
    parser.add_argument("-d", "--dataset_id", type=int, help="the number it gets")
    parser.add_argument(
        "--link", action="store_true", help="link the scans instead of copying them"
    )
    add_home_argument(parser)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    converter = CONVERTERS[arguments.name]
    source: Path | None = arguments.input
    if converter.needs_source and source is None:
        raise DatasetError(f"Converting {arguments.name} needs the set's folder: give it with -i.")
    if source is not None and not source.is_dir():
        raise DatasetError(f"{source} is not a folder: give the set's folder with -i.")
    number = converter.dataset_id if arguments.dataset_id is None else arguments.dataset_id
    home = resolve_home(arguments.home)
    folder = converter.convert(source or Path(), home, number, arguments.link)
    print(folder)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Convert one set; 0 on success, 2 on a user's mistake."""
    return run_command(_run, build_parser(), argv)
