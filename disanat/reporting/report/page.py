"""The page's contents but for the pictures: cells, plots, tables; plain data for the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from disanat.evaluation.bootstrap import Estimate
from disanat.evaluation.evaluate import CaseResult, Evaluation
from disanat.evaluation.lesions import FOUND_FRACTION
from disanat.reporting.report.collect import Folder, ReportCase
from disanat.reporting.report.curves import Curves
from disanat.reporting.report.model_facts import ModelFacts
from disanat.reporting.report.plots import precision_recall, strip, volumes_against_truth
from disanat.reporting.report.provenance import short_paths

__all__ = ["Cell", "Column", "Plot", "Row", "columns", "evaluation_rows", "plots", "rows"]

_NONE = "n/a"


@dataclass(frozen=True)
class Column:
    """A column of the table; `help` is shown when the pointer rests on it."""

    key: str
    title: str
    help: str
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """What is shown, and what the column is sorted by (numbers by value, texts by alphabet)."""

    text: str
    sort: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table, and of the case's own section."""

    case: ReportCase
    cells: tuple[Cell, ...]
    message: str

    @property
    def state(self) -> str:
        """`failed`, `flagged` or `ok`."""
        return "failed" if not self.case.ok else "flagged" if self.case.flags else "ok"


@dataclass(frozen=True)
class Plot:
    """A picture of the set with what it says to those who do not see it."""

    title: str
    svg: Markup
    caption: str


_COLUMNS = (
    Column("score", "case score", "the value that the most anomalous millilitre reaches"),
    Column("p", "p", "how rare such a case score is among healthy cases; in brackets its "
           "resolution, below which it cannot fall"),
    Column("volume", "lesions, mL", "volume of the lesion mask"),
    Column("count", "lesions", "connected parts of the lesion mask"),
    Column("flags", "flags", "in what the scan is unlike those trained on", numeric=False),
)  # fmt: skip
_JUDGED = (
    Column("truth", "expert, mL", "volume of the expert mask"),
    Column("ap", "AP", "average precision over the voxels in the brain"),
    Column("dice", "Dice", "of the lesion mask and the expert mask"),
    Column("fp", "FP, mL", "volume of the lesion mask outside the expert mask"),
)


def columns(judged: bool) -> tuple[Column, ...]:
    """Of the table, after the case's name and status."""
    return (*_COLUMNS, *_JUDGED) if judged else _COLUMNS


def rows(folder: Folder, evaluation: Evaluation | None) -> list[Row]:
    """The rows of the table in the order of predictions.csv."""
    judged = {result.case: result for result in evaluation.cases} if evaluation else None
    known = (folder.text("input"), folder.text("brain_masks"), str(folder.path))
    made = []
    for case in folder.cases:
        cells = tuple(_cells(case))
        if judged is not None:
            cells += tuple(_judged_cells(judged.get(case.name)))
        made.append(Row(case, cells, short_paths(case.row.message, known)))
    return made


def _number(value: float | None, digits: int, note: str = "") -> Cell:
    if value is None:
        return Cell(_NONE, "")
    return Cell(f"{value:.{digits}f}", repr(float(value)), note)


def _cells(case: ReportCase) -> Iterator[Cell]:
    row = case.row
    yield _number(row.case_score, 2)
    resolution = row.case_p_resolution
    yield _number(row.case_p, 3, "" if resolution is None else f"({resolution:.3f})")
    yield _number(row.lesion_volume_ml, 2)
    count = None if case.lesions is None or not case.ok else len(case.lesions)
    yield _number(count, 0)
    flags = ", ".join(words(flag) for flag in case.flags)
    yield Cell(flags, flags)


def words(flag: str) -> str:
    """A flag as it is read: `unlike_training:noise` is `noise`."""
    return flag.rpartition(":")[2].replace("_", " ")


def _judged_cells(result: CaseResult | None) -> Iterator[Cell]:
    yield _number(result.lesion_ml if result else None, 2)
    yield _number(result.average_precision if result else None, 3)
    yield _number(result.stored_dice if result else None, 3)
    yield _number(result.false_positive_ml if result else None, 2)


def evaluation_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The numbers of the set, as `disanat_evaluate` prints them."""

    def plain(value: float | None) -> str:
        return _NONE if value is None else f"{value:.3f}"

    def estimate(value: Estimate, digits: int = 3) -> str:
        return value.text(digits)

    found = ", ".join(f"{r.size}: {r.found} of {r.lesions}" for r in evaluation.recall if r.lesions)
    made = [
        ("cases with lesions", str(evaluation.average_precision.cases)),
        ("AP, mean over them", estimate(evaluation.average_precision)),
        ("best Dice, mean", estimate(evaluation.best_dice)),
        ("Dice at the threshold, mean", estimate(evaluation.stored_dice)),
        ("AP, all voxels pooled", plain(evaluation.pooled_average_precision)),
        ("AUROC of slices", plain(evaluation.slice_auroc)),
        ("AUROC of cases", plain(evaluation.case_auroc)),
        ("false positives per healthy brain, mL",
         estimate(evaluation.healthy_false_positive_ml, 2)),
        ("lesion voxels outside the brain mask (misses)",
         f"{evaluation.lost_voxels} of {evaluation.lesion_voxels}"),
        (f"lesions found ({FOUND_FRACTION:.0%} of the voxels or more)", found or _NONE),
    ]  # fmt: skip
    if evaluation.not_predicted:
        made.append(("labelled, but not predicted", ", ".join(evaluation.not_predicted)))
    return made


def plots(
    folder: Folder, model: ModelFacts, evaluation: Evaluation | None, curves: Curves
) -> list[Plot]:
    """Pictures of the whole set."""
    ok = [case for case in folder.cases if case.ok]
    made = [_scores(ok, model, evaluation)]
    volumes = _known(case.row.lesion_volume_ml for case in ok)
    made.append(
        Plot(
            "Lesion volumes",
            _svg(strip({"cases": volumes}, "lesion mask, mL", logarithmic=True)),
            "Each dot is a case, the line their median.",
        )
    )
    brains = _known(case.row.brain_volume_ml for case in ok)
    made.append(
        Plot(
            "Brain volumes",
            _svg(strip({"cases": brains}, "brain mask, mL")),
            "A brain that is far from the others may have a wrong mask: look at it.",
        )
    )
    if evaluation is not None:
        made += _judged_plots(ok, evaluation, curves)
    return made


def _svg(drawn: str) -> Markup:
    # matplotlib has escaped the texts in it, and none of them is a user's.
    return Markup(drawn)  # nosec B704


def _known(values: Any) -> list[float]:
    return [float(value) for value in values if value is not None]


def _scores(
    ok: Sequence[ReportCase], model: ModelFacts, evaluation: Evaluation | None
) -> Plot:
    scores = {case.name: case.row.case_score for case in ok}
    groups: dict[str, list[float]] = {"healthy cases of the model": list(model.healthy_scores)}
    if evaluation is None:
        groups["cases"] = _known(scores.values())
    else:
        ill = {result.case for result in evaluation.cases if not result.healthy}
        groups["cases with lesions"] = _known(s for name, s in scores.items() if name in ill)
        groups["cases without"] = _known(s for name, s in scores.items() if name not in ill)
    caption = "Each dot is a case, the line their median."
    if model.healthy_scores:
        caption += (
            " The healthy cases are those that the model was calibrated on, of all contrasts "
            "together; p-values are from those of the case's own contrast where there are enough."
        )
    return Plot("Case scores", _svg(strip(groups, "case score")), caption)


def _judged_plots(
    ok: Sequence[ReportCase], evaluation: Evaluation, curves: Curves
) -> Iterator[Plot]:
    if curves.mean is not None:
        drawn = precision_recall(curves.cases, curves.mean)
        yield Plot(
            "Precision and recall",
            _svg(drawn),
            "Over the voxels in the brain: a faint line for each case with lesions, a strong one "
            "for the mean of their precisions at each recall. The mean AP is the area under it, "
            "but for rounding.",
        )
    found: Mapping[str, float | None] = {case.name: case.row.lesion_volume_ml for case in ok}
    pairs = [(r.lesion_ml, v) for r in evaluation.cases if (v := found.get(r.case)) is not None]
    if pairs:
        truth, masks = zip(*pairs)
        yield Plot(
            "Volumes against the experts'",
            _svg(volumes_against_truth(truth, masks)),
            "Each dot is a case; on the line both volumes are the same.",
        )
