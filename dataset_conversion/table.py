"""The table of converters in documentation/converters.md, from the registry.

    python -m dataset_conversion.table documentation/converters.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from dataset_conversion.converter import Converter
from dataset_conversion.registry import GROUPS

__all__ = ["BEGIN", "END", "table"]

BEGIN = "<!-- from here on written by dataset_conversion/table.py -->"
END = "<!-- to here -->"


def table() -> str:
    """Two Markdown tables: what each set is, and what its folder must hold."""
    lines = [
        "| name | number | what | contrasts | goes to | licence | from |",
        "|---|---|---|---|---|---|---|",
    ]
    converters = [converter for group in GROUPS.values() for converter in group]
    lines += [_row(converter) for converter in converters]
    lines += ["", "What is looked for:", "", "| name | in the folder given with -i |", "|---|---|"]
    for converter in converters:
        layouts = " <br> or ".join(f"`{layout}`" for layout in converter.expects)
        lines.append(f"| `{converter.name}` | {layouts if converter.needs_source else 'nothing'} |")
    return "\n".join(lines)


def _row(converter: Converter) -> str:
    cells = (
        f"`{converter.name}`",
        str(converter.number),
        converter.title,
        _contrasts(converter),
        _goes_to(converter),
        converter.licence,
        converter.site,
    )
    return f"| {' | '.join(cells)} |"


def _contrasts(converter: Converter) -> str:
    usual = converter.usual or converter.channels
    more = [name for name in converter.channels if name not in usual]
    if not converter.channels:
        return "any" if converter.find else ""
    return ", ".join(usual) + (f"; on request {', '.join(more)}" if more else "")


def _goes_to(converter: Converter) -> str:
    if any(option.name == "train" for option in converter.options):
        return "`imagesTr` or `imagesTs`"
    if converter.find is None:
        return "`imagesTr`, `imagesTs`" if not converter.needs_source else "`labelmapsTr`"
    return "`imagesTr` (healthy)" if converter.split == "Tr" else "`imagesTs`, `labelsTs` (lesions)"


def main(page: Path) -> None:
    """Put the tables between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
