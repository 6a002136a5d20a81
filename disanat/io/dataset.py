"""Healthy training datasets: what `dataset.json` declares, and the cases and priors beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError
from disanat.home import read_json
from disanat.io.cases import Case, find_brain_mask, find_cases, find_image, stem
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, THREE_CLASSES, TissueClass

__all__ = ["RawDataset", "mapping_scheme", "read_dataset"]

_EXAMPLE = '"channel_names": {"0": "T1"}'
_REMEDY = f"write one as documentation/dataset_format.md says, with at least {_EXAMPLE}"


@dataclass(frozen=True)
class RawDataset:
    """One dataset of the raw folder.

    `name` is the folder's (Dataset005_IXI). `label_mapping` turns the numbers of the label maps in
    `priorsTr` into class names, `map_mapping` those of the maps in `labelmapsTr`, which have no
    scan; each is empty where the dataset has none.
    """

    folder: Path
    name: str
    channel_names: tuple[str, ...]
    label_mapping: dict[str, tuple[int, ...]]
    simulated: bool
    map_mapping: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def training_cases(self) -> list[Case]:
        """The healthy cases in `imagesTr`, sorted by name.

        Raises:
            DatasetError: there are none, or a file has a channel that `dataset.json` lacks.
        """
        images = self.folder / "imagesTr"
        if not images.is_dir():
            raise DatasetError(
                f"{images} does not exist: put the healthy training scans there as "
                "CASE_0000.nii.gz."
            )
        cases = find_cases(images)
        for case in cases:
            for channel, path in case.channels.items():
                if channel >= len(self.channel_names):
                    declared = ", ".join(f"{i} {n}" for i, n in enumerate(self.channel_names))
                    raise DatasetError(
                        f"{path} says by its name that it is channel {channel}, but "
                        f"{self.folder / 'dataset.json'} declares only {declared}: add the "
                        "channel there, or rename the file."
                    )
        return cases

    def prior_path(self, case_name: str) -> Path | None:
        """The case's label map in `priorsTr`; None where it or the mapping is missing.

        Raises:
            DatasetError: it is there with two endings.
        """
        return find_image(self.folder / "priorsTr", case_name) if self.label_mapping else None

    def label_maps(self) -> dict[str, Path]:
        """Label maps in `labelmapsTr`, of brains without a scan: name -> file, sorted by name.

        Raises:
            DatasetError: the folder is empty, or a map is called like another or like a training
                case.
        """
        if not self.map_mapping:
            return {}
        folder = self.folder / "labelmapsTr"
        there = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
        names = [name for path in there if (name := stem(path))]
        maps = {name: path for name in names if (path := find_image(folder, name))}
        if not maps:
            raise DatasetError(
                f"{folder} holds no label map: put some there, or take 'label_maps' out of "
                f"{self.folder / 'dataset.json'}."
            )
        twice = sorted(set(maps) & {case.name for case in self.training_cases()})
        if twice:
            raise DatasetError(
                f"{maps[twice[0]]} is called like a case of imagesTr: put the label map of a scan "
                "into priorsTr, or rename it."
            )
        return maps

    def brain_mask_path(self, case_name: str) -> Path | None:
        """The user's own brain mask of a training case, in `brainmasksTr`; None without one."""
        return find_brain_mask(self.folder / "brainmasksTr", case_name)


def mapping_scheme(mapping: Mapping[str, object]) -> tuple[TissueClass, ...] | None:
    """The tissue scheme whose classes a label mapping names.

    The three-class scheme needs all of its classes. Of the eight some may be missing, but at least
    one grey-matter and one white-matter class must be there, or the map says too little. None where
    no scheme fits.
    """
    names = set(mapping)
    if names == {c.name for c in THREE_CLASSES}:
        return THREE_CLASSES
    kinds = {c.kind for c in EIGHT_CLASSES if c.name in names}
    if names <= {c.name for c in EIGHT_CLASSES} and {"grey", "white"} <= kinds:
        return EIGHT_CLASSES
    return None


def read_dataset(folder: Path) -> RawDataset:
    """Read and check `dataset.json` of one raw dataset.

    Raises:
        DatasetError: it is missing or damaged, or declares channels or a prior that cannot be used.
    """
    source = folder / "dataset.json"
    data = read_json(source, DatasetError, _REMEDY)
    if not isinstance(data, dict):
        raise DatasetError(f"{source} is not a JSON object: {_REMEDY}.")
    simulated = data.get("simulated", False)
    if not isinstance(simulated, bool):
        raise DatasetError(f"{source} has 'simulated' {simulated!r}: write true or false.")
    mappings = []
    for key, where in (("prior", "priorsTr"), ("label_maps", "labelmapsTr")):
        mapping = _label_mapping(data.get(key), source, key)
        if (folder / where).is_dir() != bool(mapping):
            raise DatasetError(_half_declared(folder, key, where, bool(mapping)))
        mappings.append(mapping)
    return RawDataset(
        folder,
        folder.name,
        _channel_names(data.get("channel_names"), source),
        mappings[0],
        simulated,
        mappings[1],
    )


def _half_declared(folder: Path, key: str, where: str, declared: bool) -> str:
    if declared:
        return (
            f"{folder / 'dataset.json'} declares '{key}', but {folder / where} does not exist: "
            f"put the label maps there, or take '{key}' out of dataset.json."
        )
    return (
        f"{folder / where} holds label maps, but {folder / 'dataset.json'} does not say what "
        f'their numbers mean: add "{key}": {{"numbering": ...}}, with one of '
        f"{', '.join(NUMBERINGS)}."
    )


def _channel_names(value: Any, source: Path) -> tuple[str, ...]:
    if not isinstance(value, dict) or not value:
        raise DatasetError(f"{source} does not name its channels: add {_EXAMPLE}.")
    wrong = [v for v in value.values() if not isinstance(v, str) or not v.strip()]
    if wrong:
        raise DatasetError(
            f"{source} has the channel name {wrong[0]!r}: names are text, as in {_EXAMPLE}."
        )
    if set(value) != {str(i) for i in range(len(value))}:
        raise DatasetError(
            f"{source} numbers its channels {', '.join(value)}: number them 0, 1, 2 and so on "
            "without gaps."
        )
    return tuple(value[str(i)] for i in range(len(value)))


def _label_mapping(prior: Any, source: Path, key: str) -> dict[str, tuple[int, ...]]:
    if prior is None:
        return {}
    if not isinstance(prior, dict) or len(set(prior) & {"numbering", "classes"}) != 1:
        raise DatasetError(
            f"{source} has '{key}' in a form that cannot be understood: write "
            '{"numbering": "dlmuse"}, or {"classes": {"white": [2, 41], ...}}.'
        )
    if "classes" in prior:
        return _own_mapping(prior["classes"], source)
    numbering = prior["numbering"]
    if not isinstance(numbering, str) or numbering not in NUMBERINGS:
        raise DatasetError(
            f"{source} has the unknown numbering {numbering!r} under '{key}': use one of "
            f"{', '.join(NUMBERINGS)}, or list the numbers of each class under 'classes'."
        )
    return dict(NUMBERINGS[numbering])


def _own_mapping(classes: Any, source: Path) -> dict[str, tuple[int, ...]]:
    eight, three = ([c.name for c in scheme] for scheme in (EIGHT_CLASSES, THREE_CLASSES))
    if not isinstance(classes, dict) or not all(_are_labels(v) for v in classes.values()):
        raise DatasetError(
            f"{source} has prior classes that are not lists of whole numbers above 0: write them "
            'as {"white": [2, 41], ...}.'
        )
    unknown = sorted(set(classes) - {*eight, *three})
    if unknown:
        raise DatasetError(
            f"{source} has the unknown prior classes {', '.join(unknown)}: use "
            f"{', '.join(eight)}; or {', '.join(three)}."
        )
    mapping = {name: tuple(numbers) for name, numbers in classes.items() if numbers}
    if mapping_scheme(mapping) is None:
        raise DatasetError(
            f"{source} has prior classes ({', '.join(mapping) or 'none with numbers'}) that fit no "
            f"tissue scheme: use all of {', '.join(three)}; or, of {', '.join(eight)}, at least "
            "one of grey and one of white matter."
        )
    numbers = [number for group in mapping.values() for number in group]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    if twice:
        raise DatasetError(
            f"{source} gives the prior label {twice[0]} to more than one class: keep it in one."
        )
    return mapping


def _are_labels(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and v > 0 for v in value)
