"""Markdown tables."""

from __future__ import annotations

from disanat.reporting.markdown import markdown_table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [{"set": "MSLUB", "AP": "0.1"}, {"set": "LGG", "AP": "0.25 [0.1, 0.4]"}]
    assert markdown_table(rows).splitlines() == [
        "| set   | AP              |",
        "|-------|-----------------|",
        "| MSLUB | 0.1             |",
        "| LGG   | 0.25 [0.1, 0.4] |",
    ]
