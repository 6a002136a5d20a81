"""Label maps without a scan."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import DatasetError
from disanat.io.store import open_case, stored_cases, stored_label_maps
from disanat.plans import Plans, load_json
from disanat.preprocessing.label_maps import preprocess_label_map
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.synthesis.tables import EXTRACEREBRAL
from disanat.tissues import NUMBERINGS, TWELVE_CLASSES
from disanat.training.loaders import Renderer

NUMBER = {c.name: i for i, c in enumerate(TWELVE_CLASSES, start=1)}
FREESURFER = NUMBERINGS["freesurfer"]


def head(spacing: float = 1.0) -> np.ndarray:
    """FreeSurfer's numbers: skin, fluid, cortex with a deep sulcus, white matter, a ventricle."""
    n = round(90 / spacing)
    axes = np.meshgrid(*[(np.arange(n) + 0.5) * spacing - 45] * 3, indexing="ij")
    radius = np.sqrt(sum(a**2 for a in axes))
    limits = [radius < 8, radius < 26, radius < 32, radius < 34, radius < 40]
    labels = np.select(limits, [4, 2, 3, 24, 503], 0)
    labels[(np.abs(axes[1]) < 1.5) & (axes[0] > 0) & (radius > 22) & (radius < 32)] = 24
    labels[(radius > 40) & (np.abs(axes[0]) < 3) & (axes[1] > 41)] = 24  # a speck outside
    labels[(np.abs(axes[2] - 12) < 2) & (radius < 20) & (np.abs(axes[0]) < 2)] = 30  # a vessel
    return labels.astype(np.int16)


@pytest.fixture(scope="module")
def stored(miniature: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("maps") / "m.nii.gz"
    miniature.write(path, head(), (1.0, 1.0, 1.0), orientation="LIA")
    return preprocess_label_map("m", path, FREESURFER, (1.5, 1.5, 1.5), TWELVE_CLASSES)


def test_a_map_becomes_a_case_without_channels(stored: Any) -> None:
    assert stored.channels == () and stored.image.shape == (1, *stored.labels.shape)
    volume = {k: float((stored.labels == k).sum()) * 1.5**3 for k in range(1, 13)}
    ball = 4 / 3 * np.pi
    assert volume[NUMBER["ventricles"]] == pytest.approx(ball * 8**3, rel=0.08)
    white = volume[NUMBER["white"]] + volume[NUMBER["dark_white"]]
    assert white == pytest.approx(ball * (26**3 - 8**3), rel=0.05)  # the vessel is filled
    outside = stored.labels >= EXTRACEREBRAL
    assert set(np.unique(stored.labels[outside])) == {EXTRACEREBRAL + 503 % 4}
    assert (stored.image[0][stored.labels == 0] == OUTSIDE).all()


def test_narrow_fluid_is_a_sulcus_and_specks_are_left_out(stored: Any) -> None:
    labels = stored.labels
    where = np.argwhere(labels == NUMBER["sulci"])
    assert len(where) * 1.5**3 > 300
    brain = np.argwhere((labels > 0) & (labels < EXTRACEREBRAL))
    extent = (brain.max(0) - brain.min(0) + 1) * 1.5
    np.testing.assert_allclose(extent, 68, atol=4)


def test_a_map_of_other_numbers_is_refused(miniature: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.nii.gz"
    miniature.write(path, np.where(head(3.0) > 0, 900, 0).astype(np.int16), (3.0, 3.0, 3.0))
    with pytest.raises(DatasetError, match=r"m.nii.gz holds none .*found 0, 900.*'label_maps'"):
        preprocess_label_map("m", path, FREESURFER, (3.0, 3.0, 3.0), TWELVE_CLASSES)


EIGHT_OF_MINIATURE = {"outer_csf": [11], "cortical_grey": [12], "white": [13]}


def test_the_commands_render_them_and_set_none_aside(
    miniature: Any, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    raw = miniature.dataset(home)
    declared = json.loads((raw / "dataset.json").read_text())
    declared["prior"] = declared["label_maps"] = {"classes": EIGHT_OF_MINIATURE}
    (raw / "dataset.json").write_text(json.dumps(declared))
    (raw / "labelmapsTr").mkdir()
    for number in (0, 3):
        own = raw / "priorsTr" / f"h{number}.nii.gz"
        shutil.copy(own, raw / "labelmapsTr" / f"m{number}.nii.gz")
    assert miniature.run("plan", "-d", "5", "--home", home, "-np", 0) == 0
    folder = home / "preprocessed" / miniature.dataset_name
    plans = load_json(folder / "plans.json", Plans)
    assert plans.label_maps == 2 and plans.configuration().spacing == (4.0, 4.0, 4.0)
    assert stored_label_maps(folder / "2d") == ["m0", "m3"]
    assert stored_cases(folder / "2d") == [f"h{i}" for i in range(5)]
    a, b = (open_case(folder / "2d", name).labels[:] for name in ("h3", "m3"))
    assert (a == 3).sum() == pytest.approx((b == 3).sum(), rel=0.25)
    batch = Renderer(folder / "2d", ["m0"], plans, plans.configuration(), 0).batch(0)
    assert np.isfinite(batch["image"]).all() and (batch["labels"] > 0).any()
    miniature.shrink(home, 2)
    flags = ("-d", "5", "-np", 0, "--epochs", 1, "--home", home, "--device", "cpu")
    assert miniature.run("train", *flags) == 0
    model = home / "results" / miniature.dataset_name / "dal__2d" / "fold_0" / "model.json"
    facts = json.loads(model.read_text())["facts"]
    assert {"m0", "m3"} < set(facts["train_cases"])
    others = facts["validation_cases"] + facts["reference_cases"] + facts["threshold_cases"]
    assert not {"m0", "m3"} & set(others)
