"""One file of HTML that shows a whole folder of predictions, and needs nothing beside itself."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from tqdm import tqdm

from disanat.errors import DatasetError
from disanat.evaluation.evaluate import evaluate_folder, label_path
from disanat.evaluation.scans import Scans
from disanat.home import atomic_path
from disanat.preprocessing.parallel import each_result, workers_that_fit
from disanat.reporting.report.brainsprite import brainsprite_source
from disanat.reporting.report.collect import Folder, check_channels, chosen_channels, collect
from disanat.reporting.report.curves import Curves
from disanat.reporting.report.drawing import ChannelScan, Drawn, Job, draw
from disanat.reporting.report.model_facts import model_facts
from disanat.reporting.report.page import Row, columns, evaluation_rows, plots, rows
from disanat.reporting.report.pictures import colours
from disanat.reporting.report.provenance import provenance
from disanat.reporting.report.subgroups import subgroups_of

__all__ = ["NAME", "default_processes", "write_report"]

NAME = "report.html"
_ASSETS = Path(__file__).resolve().parent / "assets"
_PEAK_GB = 0.8
_FEWEST_FOR_PROCESSES = 4


def default_processes(cases: int) -> int:
    """How many processes draw: none for a few cases, which are done before they have begun."""
    cores = os.cpu_count() or 1
    if cases < _FEWEST_FOR_PROCESSES or cores == 1:
        return 0
    return workers_that_fit(min(8, cores), _PEAK_GB)


def write_report(
    predictions: Path,
    target: Path | None = None,
    labels: Path | None = None,
    scans: Path | None = None,
    processes: int | None = None,
    channels: Sequence[str] = (),
) -> Path:
    """Write the report of a folder of predictions.

    Args:
        predictions: what `disanat_predict` wrote.
        target: the file; `report.html` in the folder by default.
        labels: expert masks, one for each case.
        scans: where the scans lie; by default where they lay at prediction.
        processes: that draw cases; 0 draws in this one, None chooses.
        channels: numbers or names of those to show, or `all`; the first of each case by default.

    Returns:
        The file.

    Raises:
        DatasetError: there are no predictions, a table is damaged, a label is missing, or no case
            has one of the channels.
        ImageError: a label cannot be read.
    """
    folder, subgroups = collect(predictions), subgroups_of(predictions)
    target = target or predictions / NAME
    if target.is_dir():
        raise DatasetError(f"{target} is a folder: give the name of a file with -o.")
    check_channels(folder, channels)
    curves = Curves()
    evaluation = evaluate_folder(predictions, labels, curves.add) if labels else None
    model = model_facts(folder.facts)
    found = Scans.find(predictions, folder.text("input"), scans)
    drawn = _drawn(folder, found, labels, processes, channels)
    table = rows(folder, evaluation)
    page: dict[str, Any] = {
        "title": predictions.resolve().name,
        "columns": columns(evaluation is not None),
        "rows": table,
        "sections": _sections(table, drawn),
        "counts": _counts(table),
        "threshold": folder.threshold,
        "plots": plots(folder, model, evaluation, curves),
        "evaluation": evaluation_rows(evaluation) if evaluation else [],
        "subgroups": subgroups,
        "model": model,
        "provenance": provenance(folder, model),
        "colours": base64.b64encode(colours().tobytes()).decode("ascii"),
        **_assets(),
    }
    with atomic_path(target) as temporary, open(
        temporary, "w", encoding="utf-8", newline="\n"
    ) as handle:
        for part in _template().generate(page):
            handle.write(part)
    return target


def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")


def _assets() -> dict[str, Any]:
    """Styles, scripts, and the policy by which a browser runs these scripts and no others."""
    viewer = brainsprite_source()
    scripts = [viewer] if viewer else []
    scripts += [_asset("viewer.js")] if viewer else []
    scripts.append(_asset("table.js"))
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts)
    return {
        "scripts": [_inline(script, "script") for script in scripts],
        "style": _inline(_asset("report.css"), "style"),
        "with_viewer": bool(viewer),
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {hashes}; base-uri 'none'; form-action 'none'",
    }


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _inline(text: str, element: str) -> Markup:
    """What comes with a package, as it is: it must not end its own element."""
    if f"</{element}" in text.lower():
        raise ValueError(f"a {element} of the report holds its own end")
    return Markup(text)  # nosec B704


def _counts(table: Sequence[Row]) -> dict[str, int]:
    states = [row.state for row in table]
    return {"all": len(states)} | {state: states.count(state) for state in ("flagged", "failed")}


def _sections(table: Sequence[Row], drawn: Iterator[Drawn]) -> Iterator[tuple[Row, Drawn | None]]:
    for row in table:
        yield row, next(drawn) if row.case.ok else None
    for _ in drawn:  # its end closes the bar and the processes
        pass


def _drawn(
    folder: Folder,
    scans: Scans,
    labels: Path | None,
    processes: int | None,
    channels: Sequence[str],
) -> Iterator[Drawn]:
    """The cases that were predicted, in their order; drawn while the page is written."""
    jobs = []
    for case in folder.cases:
        if case.ok:
            chosen = chosen_channels(case, channels)
            shown = tuple(_scan(scans, case.name, one.number) for one in chosen)
            truth = label_path(labels, case.name) if labels else None
            threshold = case.row.threshold or folder.threshold
            jobs.append(
                Job(case.name, folder.path, case.channels, shown, truth, threshold,
                    case.lesions or ())
            )  # fmt: skip
    many = default_processes(len(jobs)) if processes is None else processes
    names = [job.case for job in jobs]
    results = each_result(draw, [(job,) for job in jobs], many, names)
    bar = tqdm(results, desc="drawing", unit="case", total=len(jobs), disable=None)
    return _in_order(bar, names)


def _scan(scans: Scans, case: str, channel: int) -> ChannelScan:
    try:
        return ChannelScan(channel, scans.of(case, channel))
    except (DatasetError, OSError) as cause:
        return ChannelScan(channel, None, f"{cause}")


def _in_order(results: Iterable[Drawn], names: Sequence[str]) -> Iterator[Drawn]:
    """Whoever is done early waits: in memory, as the processes are never far from each other."""
    early: dict[str, Drawn] = {}
    waiting = deque(names)
    for one in results:
        early[one.case] = one
        while waiting and waiting[0] in early:
            yield early.pop(waiting.popleft())
