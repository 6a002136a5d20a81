"""The picture of measures against strength."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from disanat.evaluation.bootstrap import Estimate
from disanat.reporting.strengths import Measure, Panel, strengths_figure

NOTHING = Estimate(None, None, None, 0)


def panel(title: str, lines: int, known: bool = True) -> Panel:
    line = [
        {"AP": Estimate(0.9 - n / 10, 0.8 - n / 10, 0.95, 6) if known else NOTHING, "FP": NOTHING}
        for n in range(4)
    ]
    return Panel(title, ("none", "1", "2", "3"), {str(n): line for n in range(lines)})


def test_a_row_for_each_measure_that_is_known_and_a_column_for_each_panel(tmp_path: Path) -> None:
    measures = [Measure("AP", (0.0, 1.0)), Measure("FP", None, 1.0)]
    sizes = []
    for name, panels in {"one": 1, "two": 2}.items():
        target = tmp_path / f"{name}.png"
        strengths_figure([panel(str(n), n + 1) for n in range(panels)], measures, target)
        with Image.open(target) as image:
            sizes.append(image.size)
            assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 20
    assert sizes[1][0] > sizes[0][0] and sizes[1][1] == sizes[0][1]
    both = [Measure("AP"), Measure("AP", None, 1.0)]
    strengths_figure([panel("a", 1)], both, tmp_path / "rows.png")
    with Image.open(tmp_path / "rows.png") as image:
        assert image.size[1] > sizes[0][1]


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    strengths_figure([panel("a", 1, known=False)], [Measure("AP")], tmp_path / "no.png")
    strengths_figure([], [Measure("AP")], tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()
