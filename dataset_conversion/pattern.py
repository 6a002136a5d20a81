"""Any folder, by patterns of its files' names.

    disanat_convert pattern -i SRC --name MySet --test
        --channel T1 '{case}/anat/{case}_T1w.nii.gz'
        --channel FLAIR '{case}/anat/{case}_FLAIR.nii.gz'
        --label 'masks/{case}_lesion.nii.gz'

Patterns are relative to SRC. `{case}` stands for the case's name (without a slash); further words
in braces may be used, such as `{site}/{case}/...`, and the case is then called SITE_CASE. `*`
stands for anything within a name, `**/` for folders at any depth. A folder of DICOM slices counts
as a file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataset_conversion.bids import WHO, split_of
from dataset_conversion.converter import Converter, Found, Option, Request, Split, Subject
from disanat.errors import DatasetError
from disanat.io.cases import stem
from disanat.io.dicom import is_dicom_series
from disanat.tissues import NUMBERINGS

__all__ = ["CONVERTER", "Pattern"]

_log = logging.getLogger(__name__)
_TOKEN = re.compile(r"\{(\w+)\}|(\*\*/)|(\*)|(\?)|(.)", re.DOTALL)
_SHOWN = 3
_OPTIONS = (
    Option("name", "what the dataset is called (needed)"),
    *WHO,
    Option(
        "channel",
        "a contrast and the pattern of its files (needed; once for each contrast, in the order of "
        "their numbers)",
        None,
        {"nargs": 2, "action": "append", "metavar": ("NAME", "PATTERN")},
    ),
    Option("label", "pattern of the lesion masks, above 0 = lesion (with --test)"),
    Option("prior", "pattern of tissue label maps (with --train)"),
    Option(
        "numbering",
        "what the numbers of --prior mean",
        None,
        {"choices": tuple(NUMBERINGS)},
    ),
    Option("licence", "for dataset.json (default: none stated)", "none stated"),
    Option("origin", "where the set comes from, for dataset.json (default: the folder's name)"),
)


@dataclass(frozen=True)
class Pattern:
    """A pattern of paths, and the words in its braces in the order they come."""

    text: str
    words: tuple[str, ...]
    expression: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Understand a pattern.

        Raises:
            DatasetError: it has no word in braces.
        """
        words: list[str] = []
        parts = []
        for word, folders, anything, one, plain in _TOKEN.findall(text.removeprefix("./")):
            if word:
                parts.append(f"(?P={word})" if word in words else f"(?P<{word}>[^/]+?)")
                words += [] if word in words else [word]
            elif folders:
                parts.append("(?:[^/]+/)*")
            elif anything or one:
                parts.append("[^/]*" if anything else "[^/]")
            else:
                parts.append(re.escape(plain))
        if not words:
            raise DatasetError(
                f"The pattern {text} does not say where a case's name is: write {{case}} there."
            )
        return cls(text, tuple(words), re.compile("".join(parts)))

    def find(self, paths: Mapping[str, Path]) -> dict[tuple[str, ...], Path]:
        """The path of each case, by the words' values (words in the order of the alphabet).

        Raises:
            DatasetError: two paths are of one case.
        """
        found: dict[tuple[str, ...], Path] = {}
        for relative, path in paths.items():
            match = self.expression.fullmatch(relative)
            if not match:
                continue
            key = tuple(match[word] for word in sorted(self.words))
            if key in found:
                raise DatasetError(
                    f"{found[key]} and {path} both fit the pattern {self.text} for one case: write "
                    "it so that only one of them fits."
                )
            found[key] = path
        return found


def _paths(source: Path) -> dict[str, Path]:
    """All images below a folder by their relative paths, sorted."""
    found = {path.relative_to(source).as_posix(): path for path in _images(source)}
    return dict(sorted(found.items()))


def _images(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if is_dicom_series(path):
                yield path
            yield from _images(path)
        elif stem(path):
            yield path


def _matching(
    paths: Mapping[str, Path], text: str, what: str, source: Path, words: Sequence[str]
) -> dict[tuple[str, ...], Path]:
    pattern = Pattern.parse(text)
    if words and sorted(pattern.words) != sorted(words):
        raise DatasetError(
            f"The pattern {text} ({what}) has other words in braces than the first: use "
            f"{', '.join(f'{{{w}}}' for w in words)} in each."
        )
    found = pattern.find(paths)
    if not found:
        there = ", ".join(list(paths)[:_SHOWN]) or "no image at all"
        raise DatasetError(
            f"{source} holds no file {text} ({what}): correct the pattern; there is {there}."
        )
    return found


def _check(request: Request) -> Split:
    options = request.options
    split = split_of(options, "pattern")
    if not options["name"] or not options["channel"]:
        raise DatasetError(
            "pattern needs a name and at least one contrast: give --name MySet and --channel T1 "
            "'{case}/{case}_T1.nii.gz'."
        )
    if not re.fullmatch(r"\w[\w.-]*", options["name"]):
        raise DatasetError(
            f"--name {options['name']} cannot be a dataset's name: use letters and digits."
        )
    if split == "Tr" and options["label"]:
        raise DatasetError("--train is for healthy scans, which have no --label: leave one out.")
    if split == "Ts" and options["prior"]:
        raise DatasetError("--prior is for scans to train on: give it with --train.")
    if bool(options["prior"]) != bool(options["numbering"]):
        raise DatasetError(
            "--prior and --numbering belong together: give both, such as --numbering freesurfer."
        )
    names = [name for name, _ in options["channel"]]
    if len(set(names)) < len(names):
        raise DatasetError("--channel names a contrast twice: give each one pattern.")
    return split


def _find(request: Request) -> Found:
    source, options = request.source, request.options
    split = _check(request)
    paths = _paths(source)
    words = Pattern.parse(options["channel"][0][1]).words
    channels = {
        name: _matching(paths, text, f"contrast {name}", source, words)
        for name, text in options["channel"]
    }
    extra = {
        what: _matching(paths, options[what], what, source, words) if options[what] else {}
        for what in ("label", "prior")
    }
    keys = sorted({key for found in channels.values() for key in found})
    subjects = []
    for key in keys:
        values = dict(zip(sorted(words), key))
        name = "_".join(re.sub(r"[^\w.-]+", "_", values[word]) for word in words)
        if extra["prior"] and key not in extra["prior"]:
            raise DatasetError(
                f"{source} holds no file {options['prior']} for case {name}: give every case a "
                "label map, or leave out --prior."
            )
        scans = {contrast: found[key] for contrast, found in channels.items() if key in found}
        labels = {"labelsTs": extra["label"][key]} if key in extra["label"] else {}
        subjects.append(Subject(name, scans, labels, extra["prior"].get(key)))
    return Found(
        subjects,
        dataset=options["name"],
        split=split,
        licence=options["licence"],
        source=options["origin"] or f"files of {source.resolve().name}, by pattern",
        extra={"prior": {"numbering": options["numbering"]}} if options["prior"] else {},
        channels=tuple(channels),
    )


CONVERTER = Converter(
    name="pattern",
    title="any folder, by patterns of its files' names",
    dataset="Pattern",
    number=210,
    split="Ts",
    licence="as given with --licence",
    source="as given with --origin",
    site="your own disk",
    expects=("--channel T1 '{case}/anat/{case}_T1w.nii.gz', [--label ...], [--prior ...]",),
    find=_find,
    options=_OPTIONS,
)
