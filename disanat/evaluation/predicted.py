"""Which cases of a folder have results, however it is laid out."""

from __future__ import annotations

from pathlib import Path

from disanat.errors import DatasetError
from disanat.evaluation.tables import read_table
from disanat.inference.layout import Layout
from disanat.inference.records import TABLE

__all__ = ["predicted_cases"]

_SUFFIX = "_anomaly.nii.gz"


def predicted_cases(predictions: Path, layout: Layout) -> list[str]:
    """Names of the cases, sorted. Files in BIDS do not say the case's name: the table does.

    Raises:
        DatasetError: there is none, or a BIDS folder has no table.
    """
    if layout.bids:
        remedy = "predict the cases again with disanat_predict --bids"
        rows = read_table(predictions / TABLE, ("case", "status"), remedy)
        cases = sorted({row["case"] for row in rows if row["status"] != "failed"})
    else:
        cases = sorted(p.name[: -len(_SUFFIX)] for p in predictions.glob(f"*{_SUFFIX}"))
    if not cases:
        raise DatasetError(
            f"{predictions} holds no predictions (CASE{_SUFFIX}): run disanat_predict with "
            f"-o {predictions} first."
        )
    return cases
