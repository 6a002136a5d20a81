"""Results of cases that were made up, without any image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from disanat.evaluation.evaluate import CaseResult
from disanat.evaluation.lesions import JudgedLesion, recall_by_size


def judged_case(
    name: str,
    ap: float | None,
    false_ml: float = 0.5,
    lesions: Sequence[tuple[float, bool, float | None]] = (),
) -> CaseResult:
    """Healthy where there is no AP; Dice is half of it. Lesions: volume, found, contrast."""
    ill = ap is not None
    half = None if ap is None else ap / 2
    each = tuple(JudgedLesion(*one) for one in lesions)
    return CaseResult(
        name, not ill, 2.0 * ill, 100 * ill, 0, ap, ap, 1.0, half, false_ml, 1.0,
        recall_by_size(each), each,
    )  # fmt: skip


def biased_cases(folder: Path, participants: int = 60, seed: int = 0) -> tuple[list, Path]:
    """Scanner B is worse on purpose, sex has no part in it, and lesions that stand out are found.

    Half of the participants are healthy. Ages are unlike each other and have no part in it either.

    Returns:
        The results, and a table of participants in the folder.
    """
    rng = np.random.default_rng(seed)
    rows, cases = ["participant_id\tage\tsex\tscanner"], []
    for number in range(participants):
        ill, worse = number % 2 == 0, number % 3 == 0
        scanner, sex = "B" if worse else "AC"[number % 3 - 1], "FM"[number // 2 % 2]
        age = rng.uniform(20, 90)
        rows.append(f"sub-{number:02d}\t{age:.1f}\t{sex}\t{scanner}")
        ap = float(np.clip(rng.normal(0.7 - 0.3 * worse, 0.1), 0, 1)) if ill else None
        lesions = [(0.05, False, 0.5), (0.5, not worse, -1.5), (7.0, True, 3.5)] if ill else []
        false_ml = float(rng.gamma(2, 0.5) * (1 + 3 * worse))
        cases.append(judged_case(f"{number:02d}", ap, false_ml, lesions))
    table = folder / "participants.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return cases, table
