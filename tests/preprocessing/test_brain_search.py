"""Which of the ways to find a brain is taken, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from disanat.errors import ImageError, ImplausibleError
from disanat.io.images import Scan, read_scan
from disanat.preprocessing import brain_search
from disanat.preprocessing.brain_extractor import BrainExtractor
from disanat.preprocessing.brain_search import find_brain


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Logits that say brain where a channel is brighter than the number in the list."""
    levels = [15.0]

    def logits(self: BrainExtractor, image: np.ndarray, spacing: Any) -> np.ndarray:
        return np.asarray(image - levels[0], np.float32)

    monkeypatch.setattr(BrainExtractor, "logits", logits)
    return levels


def no_atlas(*_: object) -> np.ndarray:
    raise AssertionError("the atlas was not to be asked")


def put(miniature: Any, path: Path, array: np.ndarray, *grid: Any) -> Scan:
    miniature.write(path, array, *grid)
    return read_scan(path)


def ball(shape: tuple[int, ...], radius: float = 15.0) -> np.ndarray:
    at = np.indices(shape) - np.reshape([(n - 1) / 2 for n in shape], (3, 1, 1, 1))
    return np.asarray(np.linalg.norm(at, axis=0) < radius)


def test_the_users_mask_wins_over_everything(miniature: Any, tmp_path: Path) -> None:
    brain = miniature.brain(0)
    scan = put(miniature, tmp_path / "x.nii.gz", brain.image, (4.0, 4.0, 4.0), "PSR")
    own = ball(brain.labels.shape)
    miniature.write(tmp_path / "own.nii.gz", own.astype(np.uint8) * 7, (4.0, 4.0, 4.0), "PSR")
    found = find_brain({0: scan}, given=tmp_path / "own.nii.gz", labels=brain.labels)
    np.testing.assert_array_equal(found.mask, own)
    assert found.source == "user" and found.stripped and found.backgrounds == {0: 0.0}


def test_a_stripped_scan_is_recognised_before_its_label_map(
    miniature: Any, tmp_path: Path
) -> None:
    brain = miniature.brain(0)
    scan = put(miniature, tmp_path / "x.nii.gz", brain.image)
    found = find_brain({0: scan}, labels=np.where(brain.labels == 3, 3, 0))
    assert found.source == "background" and found.stripped
    assert dice(found.mask, brain.labels > 0) > 0.99


def test_the_brain_of_stripped_channels_is_what_all_show(miniature: Any, tmp_path: Path) -> None:
    brain = miniature.brain(0)
    smaller = brain.image.copy()
    smaller[:, :18] = 0
    first = put(miniature, tmp_path / "x_0000.nii.gz", brain.image)
    second = put(miniature, tmp_path / "x_0001.nii.gz", smaller)
    found = find_brain({0: first, 1: second})
    assert found.source == "background" and not found.mask[:, :18].any()


def test_a_healthy_head_is_masked_by_its_label_map(
    miniature: Any, tmp_path: Path, extractor: list[float]
) -> None:
    head, inside = miniature.head(0)
    scan = put(miniature, tmp_path / "x.nii.gz", head)
    labels = np.where(inside, 2, 0)
    labels[20, 24, 20] = 0
    found = find_brain({0: scan}, labels=labels)
    assert found.source == "labels" and not found.stripped and found.mask[20, 24, 20]
    assert dice(found.mask, inside) > 0.98


def test_a_whole_head_is_left_to_the_extractor(
    miniature: Any, tmp_path: Path, extractor: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brain_search, "atlas_brain_mask", no_atlas)
    head, inside = miniature.head(0)
    found = find_brain({0: put(miniature, tmp_path / "x.nii.gz", head)})
    assert found.source == "extractor" and found.backgrounds == {0: None}
    assert dice(found.mask, inside) > 0.99


def test_channels_share_one_mask_by_their_mean_logit(
    miniature: Any, tmp_path: Path, extractor: list[float]
) -> None:
    head, inside = miniature.head(0)
    dark = head.copy()
    dark[:, :12] = np.abs(np.random.default_rng(1).normal(0, 1, dark[:, :12].shape))
    scans = {
        c: put(miniature, tmp_path / f"x_000{c}.nii.gz", a) for c, a in enumerate((dark, head))
    }
    both, alone = find_brain(scans), find_brain({0: scans[0]})
    assert dice(both.mask, inside) > 0.99 > dice(alone.mask, inside)


def test_the_atlas_stands_in_for_the_extractor_and_says_so(
    miniature: Any,
    tmp_path: Path,
    extractor: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    head, inside = miniature.head(0)
    scan = put(miniature, tmp_path / "x.nii.gz", head)
    extractor[0] = 1e6
    monkeypatch.setattr(brain_search, "atlas_brain_mask", lambda *_: inside)
    found = find_brain({0: scan})
    assert found.source == "atlas" and (found.mask == inside).all()
    assert "x.nii.gz: the extractor found no plausible brain (0 mL)" in caplog.text

    def fail(*_: object) -> np.ndarray:
        raise ImageError("no")

    monkeypatch.setattr(brain_search, "atlas_brain_mask", fail)
    with pytest.raises(ImplausibleError, match=r"In .*x.nii.gz no plausible brain .*: check"):
        find_brain({0: scan})


@pytest.mark.parametrize(
    ("radius", "volume"), [(0.0, "0"), (8.0, r"1\d\d"), (25.0, r"[34]\d\d\d")]
)
def test_a_mask_that_no_brain_fills_is_refused(
    miniature: Any, tmp_path: Path, radius: float, volume: str
) -> None:
    head, inside = miniature.head(0)
    scan = put(miniature, tmp_path / "x.nii.gz", head)
    wrong = ball(inside.shape, radius)
    miniature.write(tmp_path / "own.nii.gz", wrong.astype(np.uint8))
    words = f"own.nii.gz marks a brain of {volume} mL, which is not plausible .*: check .*folder"
    with pytest.raises(ImplausibleError, match=words):
        find_brain({0: scan}, given=tmp_path / "own.nii.gz")
    if radius != 25.0:  # closing cannot leave the image
        with pytest.raises(ImplausibleError, match=r"label map of .*x.nii.gz marks a brain of"):
            find_brain({0: scan}, labels=wrong.astype(np.uint8))


def test_a_tiny_stripped_brain_is_refused(miniature: Any, tmp_path: Path) -> None:
    scan = put(miniature, tmp_path / "x.nii.gz", miniature.brain(0).image, (1.0, 1.0, 1.0))
    with pytest.raises(ImplausibleError, match=r"x.nii.gz seems to show a brain of \d+ mL"):
        find_brain({0: scan})


def test_a_mask_on_another_grid_is_refused(miniature: Any, tmp_path: Path) -> None:
    head, inside = miniature.head(0)
    scan = put(miniature, tmp_path / "x.nii.gz", head)
    miniature.write(tmp_path / "own.nii.gz", inside[1:].astype(np.uint8))
    with pytest.raises(ImageError, match=r"own.nii.gz lies on another grid than .*x.nii.gz .*: re"):
        find_brain({0: scan}, given=tmp_path / "own.nii.gz")


def test_a_tool_of_others_takes_the_extractors_place(
    miniature: Any, tmp_path: Path, extractor: list[float], fake_tools: Path
) -> None:
    head, inside = miniature.head(0)
    extractor[0] = 1e6
    scan = put(miniature, tmp_path / "x.nii.gz", head)
    found = find_brain({0: scan}, "synthstrip")
    assert found.source == "synthstrip" and dice(found.mask, inside) > 0.99
    dim = put(miniature, tmp_path / "dim.nii.gz", head / 10)
    with pytest.raises(ImplausibleError, match=r"In .*dim.nii.gz hd-bet found a brain of \d+ mL"):
        find_brain({0: dim}, "hd-bet")
    stripped = put(miniature, tmp_path / "y.nii.gz", np.where(inside, head, 0))
    calls = fake_tools.read_text()
    assert find_brain({0: stripped}, "hd-bet").source == "background"
    assert fake_tools.read_text() == calls
