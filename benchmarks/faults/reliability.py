"""The page of all drills: `benchmarks/reliability.md`, from what they measured.

    python benchmarks/faults/kill.py; python benchmarks/faults/others.py
    python benchmarks/faults/load.py; python benchmarks/faults/reliability.py
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from records import load_record  # noqa: E402

from disanat.home import atomic_path  # noqa: E402
from disanat.reporting.markdown import markdown_table  # noqa: E402
from steps import ROOT  # noqa: E402

PAGE = "benchmarks/reliability.md"
_HEAD = """\
# Reliability

Written by `benchmarks/faults/reliability.py` from what the drills measured; not edited by hand.
All drills work on small synthetic brains and tiny networks: they are about losing work, not about
doing it. Lost: files whose content is not that of an undisturbed run, bit for bit (what a clock
wrote left out). Spoilt inputs have a page of their own, [fuzz.md](fuzz.md).
"""


def _about(record: Mapping[str, Any]) -> str:
    return (
        f"Measured {record['date']}, commit {record['commit']}, seed {record['seed']}, "
        f"{record['machine']}."
    )


def _kill(record: Mapping[str, Any]) -> list[str]:
    rows = [
        {
            "killed with -9": one["command"],
            "moments": str(one["moments"]),
            "killed before its end": str(one["killed"]),
            "partial files seen": str(len(one["unreadable"])),
            "did not go on": str(len(one["not_continued"])),
            "files lost": str(len(one["differing"])),
            "finished cases done again": str(one["done_again"]),
            "most epochs repeated": str(one["most_epochs_repeated"]),
        }
        for one in record["measured"]
    ]
    notes = [
        f"- {one['command']}: {note}"
        for one in record["measured"]
        for note in (*one["unreadable"], *one["not_continued"], *one["differing"])
    ]
    text = (
        "Each command is killed at a random moment of its usual time and given again. Every other "
        "kill hits the main process alone, the others all processes."
    )
    return ["## Killed at any moment", "", text, "", markdown_table(rows), "", *notes]


def _others(record: Mapping[str, Any]) -> list[str]:
    rows = [
        {
            "fault": one["name"],
            "expected": one["expected"],
            "tried": str(one["tried"]),
            "otherwise": str(len(one["wrong"])),
            "files lost": str(len(one["lost"])),
        }
        for one in record["measured"]
    ]
    notes = [
        f"- {one['name']}: {note}"
        for one in record["measured"]
        for note in (*one["wrong"], *one["lost"])
    ]
    return ["## Other faults", "", markdown_table(rows), "", *notes]


def _load(record: Mapping[str, Any]) -> list[str]:
    found = record["measured"]
    growth = found["memory_last_mb"] / found["memory_first_mb"] - 1
    rows = [
        {
            "volumes in one call": f"{found['volumes']:.0f}",
            "failed": f"{found['failed']:.0f}",
            "memory, first and last tenth": f"{found['memory_first_mb']:.0f}, "
            f"{found['memory_last_mb']:.0f} MB ({growth:+.1%})",
            "open files": f"{found['files_first']:.0f}, {found['files_last']:.0f}",
            "seconds a volume": f"{found['seconds_first']:.3f}, {found['seconds_last']:.3f}",
        }
    ]
    return ["## Load", "", markdown_table(rows), ""]


def main() -> None:
    parts = [_HEAD]
    for name, write in {"kill": _kill, "others": _others, "load": _load}.items():
        record = load_record(name)
        if record is None:
            sys.exit(f"Run benchmarks/faults/{name}.py first.")
        parts += [*write(record), _about(record), ""]
    with atomic_path(ROOT / PAGE) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
