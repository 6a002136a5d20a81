"""Predictions judged against expert masks: `evaluate` and `subgroups`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from disanat.evaluation.evaluate import Evaluation, evaluate_folder, write_evaluation
from disanat.evaluation.participants import Participants, read_participants
from disanat.evaluation.scans import Scans
from disanat.evaluation.subgroups import Subgroups, find_subgroups
from disanat.reporting.subgroup_page import write_subgroup_pages

__all__ = ["evaluate", "subgroups"]


def evaluate(
    predictions: str | Path,
    labels: str | Path,
    output: str | Path | None = None,
    *,
    scans: str | Path | bool = False,
) -> Evaluation:
    """Judge a folder of predictions against expert masks; what `disanat_evaluate` does.

    Args:
        predictions: folder that `disanat_predict` or `predict_folder` wrote.
        labels: folder with a mask for each case, CASE.nii.gz, on the scan's grid: above 0 is
            lesion, all 0 is a healthy brain.
        output: folder for `evaluation.json` and `evaluation.csv`; None writes nothing.
        scans: folder of the scans, or True where they lie where they were predicted: gives each
            lesion its contrast.

    Returns:
        Every case and the means over the cases with lesions. AP, Dice and AUROC are shares of 1,
        volumes are in mL, `best_threshold` is in units of the anomaly map. Lesion voxels outside
        the brain mask count as misses.

    Raises:
        DatasetError: no predictions, a case without a label, or a label on another grid.
        ImageError: a file that cannot be read.
    """
    folder = Path(predictions)
    evaluation = evaluate_folder(folder, Path(labels), scans=Scans.wanted(folder, scans))
    if output is not None:
        write_evaluation(evaluation, Path(output))
    return evaluation


def subgroups(
    evaluation: Evaluation,
    participants: str | Path | Participants | None = None,
    output: str | Path | None = None,
    *,
    columns: Sequence[str] = (),
    cuts: Mapping[str, Sequence[float]] | None = None,
) -> Subgroups:
    """Say for whom it is wrong: the measures by groups of participants, lesions by size, contrast.

    What `disanat_evaluate --participants` does.

    Args:
        evaluation: from `evaluate`, with its `scans` for the contrast of lesions.
        participants: `participants.tsv`; None counts lesions only.
        output: folder for `subgroups.md`, `.csv`, `.json` and `.png`; None writes nothing.
        columns: of the table, whose groups are compared; none takes all.
        cuts: where columns of numbers are cut, such as `{"age": (40, 60)}`; others into terciles.

    Raises:
        DatasetError: the table is damaged, lacks a column, or has no row of any case.
    """
    table = participants
    if isinstance(table, str | Path):
        table = read_participants(Path(table), columns, cuts)
    found = find_subgroups(evaluation.cases, table)
    if output is not None:
        write_subgroup_pages(found, Path(output))
    return found
