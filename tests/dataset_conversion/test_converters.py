"""Every converter on a tiny tree of each layout it knows, and on real sets where they are there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from converter_layouts import LAYOUTS, Layout
from sentences import check_sentence

from dataset_conversion.conversion import prepare
from dataset_conversion.convert import convert
from dataset_conversion.converter import Made
from dataset_conversion.registry import CONVERTERS
from disanat.errors import DatasetError
from disanat.home import Home
from disanat.io.cases import find_cases
from disanat.io.dataset import read_dataset
from disanat.io.images import Geometry, read_labels, read_scan, same_grid

EACH = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.id)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def run(layout: Layout, source: Path, home: Home, link: bool = False) -> Path:
    return convert(CONVERTERS[layout.converter], source, home, link=link, **layout.options)


def test_every_converter_of_a_set_has_a_tree() -> None:
    finding = {name for name, converter in CONVERTERS.items() if converter.find}
    assert {layout.converter for layout in LAYOUTS} == finding


@EACH
def test_layout(layout: Layout, tmp_path: Path, home: Home) -> None:
    """What every conversion must give: copied, again, and linked."""
    layout.build(tmp_path / "source")
    converter = CONVERTERS[layout.converter]
    conversion = prepare(converter, tmp_path / "source", home, options=layout.options)
    assert not home.raw.exists()

    made = run(layout, tmp_path / "source", home)
    assert made.parent == home.raw and made.name.startswith(f"Dataset{converter.number:03d}_")
    check_dataset(layout, made, converter.split)
    images = made / f"images{converter.split}"
    for subject in conversion.subjects:
        for number, name in enumerate(conversion.channels):
            if name in subject.channels:
                [written] = images.glob(f"{subject.name}_{number:04d}.*")
                check_same_image(subject.channels[name], written)

    before = state(made)
    assert run(layout, tmp_path / "source", home) == made
    after = state(made)
    assert set(after) == set(before)
    assert all(after[path] == before[path] for path in before if is_image(path))

    run(layout, tmp_path / "source", home, link=True)
    assert set(state(made)) == set(before)
    for path in filter(is_image, before):
        if path.parts[0][:6] in ("images", "priors"):
            linked = (made / path).stat().st_nlink > 1 or (made / path).is_symlink()
            assert linked == layout.linked


def check_dataset(layout: Layout, made: Path, split: str) -> None:
    assert read_dataset(made).channel_names == layout.channels
    described = json.loads((made / "dataset.json").read_text())
    assert described["licence"] and described["source"]
    other = "Ts" if split == "Tr" else "Tr"
    assert not (made / f"images{other}").exists()
    cases = find_cases(made / f"images{split}")
    assert tuple(case.name for case in cases) == layout.cases
    assert {n for case in cases for n in case.channels} == set(range(len(layout.channels)))
    assert (made / "labelsTs").is_dir() == layout.labelled
    for case in cases:
        scans = [read_scan(path) for path in case.channels.values()]
        assert all(same_grid(scans[0].geometry, scan.geometry) for scan in scans)
        if layout.labelled:
            check_label(made / "labelsTs" / f"{case.name}.nii.gz", scans[0].geometry)


def check_label(path: Path, grid: Geometry) -> None:
    truth = read_labels(path)
    assert set(np.unique(truth.array)) == {0, 1} and truth.array.sum() == 12
    assert same_grid(truth.geometry, grid) and truth.geometry.orientation == grid.orientation
    assert sitk.ReadImage(str(path)).GetPixelID() == sitk.sitkUInt8


def check_same_image(image: Path | Made, written: Path) -> None:
    """Copies have the same bytes; what had to be made has the same voxels at the same places."""
    if not isinstance(image, Made):
        assert written.read_bytes() == image.read_bytes()
        return
    there, before = sitk.ReadImage(str(written)), image.read()
    np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (there, before)))
    np.testing.assert_allclose(there.GetOrigin(), before.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(there.GetDirection(), before.GetDirection(), atol=1e-6)


def state(folder: Path) -> dict[Path, int]:
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def is_image(path: Path) -> bool:
    return path.parts[0].endswith(("Tr", "Ts", "Ts_rater2", "Ts_other"))


@pytest.mark.parametrize("name", sorted({layout.converter for layout in LAYOUTS}))
def test_wrong_folder_is_one_sentence(name: str, tmp_path: Path, home: Home) -> None:
    (tmp_path / "elsewhere" / "photos").mkdir(parents=True)
    [layout, *_] = [layout for layout in LAYOUTS if layout.converter == name]
    with pytest.raises(DatasetError) as caught:
        convert(CONVERTERS[name], tmp_path / "elsewhere", home, **layout.options)
    check_sentence(str(caught.value), "elsewhere")
    assert "holds no" in str(caught.value)
    assert not home.raw.exists()


@pytest.mark.parametrize("name, cases", [
    ("brats2013", 2), ("brats2021", 1), ("mslub", 1), ("mslesseg", 1), ("isbi2015", 2), ("lgg", 8),
])  # fmt: skip
def test_real_sets(name: str, cases: int, real_data: Path, home: Home) -> None:
    found = prepare(CONVERTERS[name], real_data / name, home)
    assert len(found.subjects) == cases and all(s.labels for s in found.subjects)


def test_real_ixi(real_data: Path, home: Home) -> None:
    found = prepare(CONVERTERS["ixi"], real_data / "ixi_t1_2mm", home)
    assert len(found.subjects) == 80 and all(s.prior for s in found.subjects)


def test_real_mslesseg(real_data: Path, home: Home) -> None:
    made = convert(CONVERTERS["mslesseg"], real_data / "mslesseg", home, link=True)
    truth = read_labels(made / "labelsTs" / "P14_T2.nii.gz")
    assert truth.array.sum() / 1000 == pytest.approx(29.7, abs=0.1)
