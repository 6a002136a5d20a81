"""Label maps of further brains, without scans, into a dataset that is there already."""

from __future__ import annotations

from pathlib import Path

from dataset_conversion.common import find_files
from dataset_conversion.converter import Converter
from dataset_conversion.placing import place
from disanat.errors import DatasetError
from disanat.home import Home, read_json, remove_temporaries, write_json
from disanat.io.cases import stem
from disanat.io.dataset import read_dataset
from disanat.io.images import read_labels
from disanat.locks import hold

__all__ = ["CONVERTER", "add"]

_NUMBERING = "freesurfer"


def add(source: Path, home: Home, dataset_id: int, link: bool = False) -> Path:
    """Put all label maps of a folder into `labelmapsTr` of a dataset; returns its folder.

    They have FreeSurfer's numbering, as SynthSeg's have; numbers it does not know count as tissue
    outside the brain.

    Raises:
        DatasetError: there is no such dataset, or no label map.
        ImageError: a map cannot be read.
        BusyError: another process writes there.
    """
    folder = home.raw / home.dataset_name(str(dataset_id))
    maps = [p for p in find_files(source, "*", "label maps") if stem(p)]
    if not maps:
        raise DatasetError(f"{source} holds no label map: give the folder of label maps with -i.")
    with hold(folder, "adding label maps"):
        remove_temporaries(folder / "labelmapsTr")
        for path in maps:
            read_labels(path)
            place(path, folder / "labelmapsTr" / str(stem(path)), link)
        declaration = folder / "dataset.json"
        declared = read_json(declaration, DatasetError, "convert the dataset again")
        write_json({**declared, "label_maps": {"numbering": _NUMBERING}}, declaration)
    read_dataset(folder).label_maps()
    return folder


CONVERTER = Converter(
    name="label_maps",
    title="label maps without scans (FreeSurfer's numbers), added to a dataset",
    dataset="",
    number=5,
    split="Tr",
    licence="that of the maps",
    source="any segmentation program, or SynthSeg's training maps",
    site="such as github.com/BBillot/SynthSeg",
    expects=("training_seg_01.nii.gz, ... in one folder",),
    write=add,
)
