"""The picture of several methods on one set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from disanat.reporting.dots import dot_figure


def drawn(values: dict[str, list[float]], target: Path) -> np.ndarray:
    dot_figure(values, target, "a set", "AP")
    return np.asarray(imread(target))[..., :3]


def reds(image: np.ndarray) -> np.ndarray:
    """Where means and intervals are drawn."""
    return np.argwhere((image[..., 0] > 0.6) & (image[..., 1] < 0.35) & (image[..., 2] < 0.35))


def test_a_row_for_each_method_and_none_for_one_without_values(tmp_path: Path) -> None:
    one = drawn({"a": [0.2, 0.4], "b": []}, tmp_path / "sub" / "one.png")
    three = drawn({"a": [0.2], "b": [0.4], "c": [0.3]}, tmp_path / "three.png")
    assert three.shape[0] > one.shape[0] and three.shape[1] == one.shape[1]


def test_the_highest_mean_is_on_top_and_furthest_right(tmp_path: Path) -> None:
    found = reds(drawn({"low": [0.2, 0.2], "high": [0.8, 0.8]}, tmp_path / "a.png"))
    top, bottom = found[found[:, 0].argmin()], found[found[:, 0].argmax()]
    assert top[0] < bottom[0] and top[1] > bottom[1]


def test_an_interval_from_five_cases_on(tmp_path: Path) -> None:
    cases = [0.1, 0.3, 0.5, 0.7, 0.9]
    with_line = reds(drawn({"a": cases}, tmp_path / "a.png"))
    without = reds(drawn({"a": cases[:4]}, tmp_path / "b.png"))
    assert np.ptp(with_line[:, 1]) > 5 * np.ptp(without[:, 1])


def test_the_same_values_give_the_same_picture(tmp_path: Path) -> None:
    values = {"a": [0.1, 0.3], "b": [0.0, 0.0]}
    first, second = (drawn(values, tmp_path / f"{n}.png") for n in "ab")
    np.testing.assert_array_equal(first, second)
