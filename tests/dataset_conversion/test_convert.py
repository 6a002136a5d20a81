"""Conversions again, after a break, beside others, and with contrasts on several grids."""

from __future__ import annotations

import json
import os
from pathlib import Path

import converter_files as written
import healthy_trees as healthy
import lesion_trees as ill
import numpy as np
import pytest
from sentences import check_sentence

from dataset_conversion.conversion import prepare
from dataset_conversion.convert import convert
from dataset_conversion.placing import Place
from dataset_conversion.registry import CONVERTERS, get_converter
from disanat.errors import BusyError, DatasetError, ImageError
from disanat.home import Home
from disanat.io.cases import find_cases
from disanat.io.dataset import read_dataset
from disanat.locks import hold

BRATS, IXI = CONVERTERS["brats2015"], CONVERTERS["ixi"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_interrupted_conversion_goes_on(
    source: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill.brats2015(source)
    whole, written = Place.write, []

    def stopped(self: Place, subject) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(subject.name)
        whole(self, subject)

    monkeypatch.setattr(Place, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        convert(BRATS, source, home)
    [folder] = home.raw.iterdir()
    assert not (folder / "dataset.json").exists()
    assert len(find_cases(folder / "imagesTs")) == 1
    left = folder / "imagesTs" / ".1.tmp.brats_0000.mha"  # of a process that was killed
    left.write_bytes(b"half")

    def noted(self: Place, subject) -> None:
        written.append(subject.name)
        whole(self, subject)

    monkeypatch.setattr(Place, "write", noted)
    assert convert(BRATS, source, home) == folder
    assert len(written) == 2 and len(set(written)) == 2
    assert len(find_cases(folder / "imagesTs")) == 2 and not left.exists()
    assert (folder / "dataset.json").is_file()


def test_changed_and_vanished_sources_are_followed(source: Path, home: Home) -> None:
    ill.mslesseg_published(source)
    converter = CONVERTERS["mslesseg"]
    folder = convert(converter, source, home)
    own = folder / "imagesTs" / "mine_0000.nii.gz"
    written.scan(own, 7)
    inner = source / "MSLesSeg Dataset"
    changed = written.scan(inner / "test/P54/P54_T1.nii.gz", 99)
    os.utime(changed, ns=(1, 1))
    for path in (inner / "train/P1/T2").iterdir():
        path.unlink()
    convert(converter, source, home)
    assert (folder / "imagesTs" / "P54_0001.nii.gz").read_bytes() == changed.read_bytes()
    cases = [case.name for case in find_cases(folder / "imagesTs")]
    assert cases == ["P1_T1", "P54", "mine"]
    assert names(folder / "labelsTs") == ["P1_T1.nii.gz", "P54.nii.gz"]


def test_added_label_maps_stay_declared(source: Path, home: Home, tmp_path: Path) -> None:
    healthy.ixi_nichart(source)
    folder = convert(IXI, source, home)
    written.labels(tmp_path / "maps" / "seg_1.nii.gz", 41)
    convert(CONVERTERS["label_maps"], tmp_path / "maps", home)
    written.scan(source / "t1" / "IXI048_T1.nii.gz", 30)
    convert(IXI, source, home)
    assert list(read_dataset(folder).label_maps()) == ["seg_1"]


def test_dataset_of_somebody_else_is_refused(source: Path, home: Home) -> None:
    ill.mslesseg(source)
    folder = home.raw / "Dataset104_MSLesSeg"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1"}}))
    with pytest.raises(DatasetError, match="not written from this set"):
        convert(CONVERTERS["mslesseg"], source, home)
    assert names(folder) == ["dataset.json"]


def test_dataset_of_an_earlier_disanat_is_taken_over(source: Path, home: Home) -> None:
    ill.mslesseg(source)
    folder = convert(CONVERTERS["mslesseg"], source, home)
    for path in (folder / ".disanat" / "converted").iterdir():
        path.unlink()
    (folder / ".disanat" / "converted").rmdir()
    assert convert(CONVERTERS["mslesseg"], source, home) == folder


def test_number_of_another_dataset_is_refused(source: Path, home: Home) -> None:
    (home.raw / "Dataset104_Mine").mkdir(parents=True)
    ill.mslesseg(source)
    with pytest.raises(DatasetError, match="Dataset104_Mine"):
        convert(CONVERTERS["mslesseg"], source, home)


def test_one_process_at_a_time(source: Path, home: Home) -> None:
    ill.mslesseg(source)
    folder = home.raw / "Dataset104_MSLesSeg"
    with hold(folder, "converting"), pytest.raises(BusyError, match="in use"):
        convert(CONVERTERS["mslesseg"], source, home)
    assert folder.is_dir()
    assert convert(CONVERTERS["mslesseg"], source, home) == folder


def test_label_on_another_grid_is_refused(source: Path, home: Home) -> None:
    ill.mslesseg(source)
    written.save(source / "P14_T2_MASK.nii.gz", np.ones(written.SHAPE, np.uint8), origin=(0, 0, 0))
    with pytest.raises(DatasetError, match=r"P14_T2_MASK.*grid") as caught:
        convert(CONVERTERS["mslesseg"], source, home)
    check_sentence(str(caught.value), "P14_T2_MASK")
    assert not (home.raw / "Dataset104_MSLesSeg" / "dataset.json").exists()


def test_channel_on_another_grid_is_refused_where_the_set_promises_one(
    source: Path, home: Home
) -> None:
    ill.mslesseg(source)
    written.scan(source / "P14_T2_T1.nii.gz", spacing=(1.0, 1.0, 3.0))
    with pytest.raises(DatasetError, match=r"P14_T2_T1.*of its own"):
        convert(CONVERTERS["mslesseg"], source, home)
    assert names(home.raw) == []
    made = convert(CONVERTERS["mslesseg"], source, home, channels=("FLAIR", "T2"))
    assert made.name == "Dataset104_MSLesSeg_FLAIR_T2"
    assert read_dataset(made).channel_names == ("FLAIR", "T2")


def test_damaged_scan_is_named(source: Path, home: Home) -> None:
    ill.mslesseg(source)
    scan = source / "P14_T2_T2.nii.gz"
    scan.write_bytes(scan.read_bytes()[:-20])
    with pytest.raises(ImageError, match="P14_T2_T2"):
        convert(CONVERTERS["mslesseg"], source, home)


def test_other_contrasts_make_another_dataset(source: Path, home: Home) -> None:
    healthy.ixi(source)
    first = convert(IXI, source, home)
    with pytest.raises(DatasetError, match="Dataset005_IXI"):
        convert(IXI, source, home, channels=("T2", "PD"))
    second = convert(IXI, source, home, 6, channels=("T2", "PD"))
    assert (first.name, second.name) == ("Dataset005_IXI", "Dataset006_IXI_T2_PD")
    assert read_dataset(second).channel_names == ("T2", "PD")
    assert len(names(second / "imagesTr")) == 4


def test_contrasts_on_other_grids_are_left_out_or_refused(
    source: Path, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    healthy.ixi(source)
    with pytest.raises(DatasetError, match="--channels T2") as caught:
        convert(IXI, source, home, channels=("T1", "T2"))
    check_sentence(str(caught.value), "source")
    healthy.hcp_unprocessed(source / "hcp")
    written.scan(source / "hcp/100307/unprocessed/3T/T2w_SPC1/100307_3T_T2w_SPC1.nii.gz")
    made = convert(CONVERTERS["hcp"], source / "hcp", home)
    assert "100408: T2 lies on another grid than T1" in caplog.text
    files = ["100307_0000.nii.gz", "100307_0001.nii.gz", "100408_0000.nii.gz"]
    assert names(made / "imagesTr") == files


@pytest.mark.parametrize(
    "channels, match", [(("T3",), "no contrast T3"), (("T1", "T1"), "twice"), (("PD",), "no case")]
)
def test_channels_that_cannot_be(
    channels: tuple[str, ...], match: str, source: Path, home: Home
) -> None:
    ill.isbi2015_package(source)
    converter = IXI if channels == ("T3",) else CONVERTERS["isbi2015"]
    with pytest.raises(DatasetError, match=match) as caught:
        prepare(converter, source, home, channels=channels)
    check_sentence(str(caught.value), "source", "ixi", "--channels")


def test_two_cases_of_one_name_are_refused(source: Path, home: Home) -> None:
    ill.mslesseg(source / "one")
    ill.mslesseg(source / "two")
    with pytest.raises(DatasetError, match="both become case P14_T2"):
        convert(CONVERTERS["mslesseg"], source, home)


def test_header_with_its_voxels_apart_becomes_one_file(source: Path, home: Home) -> None:
    written.scan(source / "A_t1.mhd")
    options = {"name": "Mine", "train": True, "channel": [["T1", "{case}_t1.mhd"]]}
    made = convert(CONVERTERS["pattern"], source, home, link=True, **options)
    assert names(made / "imagesTr") == ["A_0000.nii.gz"]


def test_unknown_converter_lists_those_there_are() -> None:
    with pytest.raises(DatasetError, match="use one of ixi"):
        get_converter("nothing")
