"""`predictions.json`: all cases of a folder with their numbers, lesions and files, for programs.

What it holds is fixed by a JSON Schema that ships with disanat.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from disanat.errors import DatasetError
from disanat.home import atomic_path, read_json
from disanat.inference.layout import Layout
from disanat.inference.records import CaseRow, Record

__all__ = ["CASE_LIST", "case_list_schema", "write_case_list"]

CASE_LIST = "predictions.json"
_SCHEMA = "predictions.schema.json"
_VERSION = 1
_OF_MODEL = ("method", "configuration", "dataset", "finished", "bundled")
_NUMBERS = (
    "threshold", "peak_threshold", "brain_volume_ml", "lesion_volume_ml", "case_score", "case_p",
    "case_p_resolution", "seconds",
)  # fmt: skip


def case_list_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `predictions.json`."""
    text = files("disanat.inference").joinpath("schemas", _SCHEMA).read_text(encoding="utf-8")
    return dict(json.loads(text))


def write_case_list(target: Path, records: Iterable[Record], layout: Layout) -> None:
    """Write all cases, one after the other, so that thousands need no memory.

    Args:
        target: folder of the predictions, with its prediction.json.
        records: of the cases, in the order of the table.
        layout: how their files are called.
    """
    facts = _facts(target / "prediction.json")
    head = {
        "schema_version": _VERSION,
        "disanat": facts.get("versions", {}).get("disanat", ""),
        "model": {key: facts.get(key) for key in _OF_MODEL},
        "threshold": _finite(facts.get("threshold")),
        "peak_threshold": _finite(facts.get("peak_threshold")),
        "threshold_choice": str(facts.get("threshold_choice", "")),
        "layout": "bids" if layout.bids else "flat",
    }
    with (
        atomic_path(target / CASE_LIST) as temporary,
        open(temporary, "w", encoding="utf-8") as handle,
    ):
        for part in _parts(head, (_entry(record, layout) for record in records)):
            handle.write(part)


def _facts(source: Path) -> dict[str, Any]:
    facts = read_json(source, DatasetError, "predict the cases again")
    return facts if isinstance(facts, dict) else {}


def _parts(head: Mapping[str, Any], entries: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    """One JSON object; its `cases` come last, each on a line."""
    yield json.dumps(head, indent=2).rstrip("}\n") + ',\n  "cases": ['
    for number, entry in enumerate(entries):
        yield f"{',' if number else ''}\n    {json.dumps(entry, allow_nan=False)}"
    yield "\n  ]\n}\n"


def _entry(record: Record, layout: Layout) -> dict[str, Any]:
    row = record.row
    return {
        "case": row.case,
        "status": row.status,
        "message": row.message,
        "channels": [
            {"number": one.number, "name": one.name, "contrast": one.contrast}
            for one in row.seen
        ],
        **{name: _finite(getattr(row, name)) for name in _NUMBERS},
        "flags": [flag for flag in row.flags.split(";") if flag],
        "registration": [told for told in row.registration.split(";") if told],
        "lesions": [asdict(lesion) for lesion in record.lesions],
        "files": _files(row, record.files, layout),
    }


def _finite(value: Any) -> float | None:
    """JSON has no infinity."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _files(row: CaseRow, written: Mapping[str, str], layout: Layout) -> list[dict[str, Any]]:
    return [
        {
            "kind": output.kind,
            "channel": output.channel,
            "path": output.path.as_posix(),
            "sha256": written[output.path.as_posix()],
        }
        for output in layout.outputs(row.case, row.seen)
        if output.path.as_posix() in written
    ]
