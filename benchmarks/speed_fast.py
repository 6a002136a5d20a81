"""What `--fast` costs: AP on synthetic lesions in healthy scans that no network was trained on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from disanat.evaluation.bootstrap import estimate_mean
from disanat.home import resolve_home
from disanat.inference.bundled import bundled_folder
from disanat.inference.model import load_model
from disanat.plans import Plans, load_json
from disanat.reporting.markdown import markdown_table
from disanat.scoring.ranking import average_precision, rank
from disanat.training.looks import LOOKS, predictions
from disanat.training.splits import split_stored
from disanat.training.train import PLANS, cases_folder
from speed_data import QUICK

__all__ = ["measure", "page"]

CASES = 2 if QUICK else 6
SEED = 16


def measure(home: Path) -> dict[str, Any]:
    """Both ways on the same looks; empty where the shipped model's cases are not at hand."""
    model, place = load_model(bundled_folder()), resolve_home(home)
    folder = cases_folder(place, model.plans, model.configuration)
    plans = place.plans_folder(model.plans.dataset) / PLANS
    if not plans.exists() or load_json(plans, Plans).classes != model.plans.classes:
        return {}
    names = split_stored(folder, "0").validation[:CASES]
    found: dict[str, Any] = {"cases": list(names)}
    for way, method in (("thorough", model.method), ("fast", model.method.faster())):
        began, scores = time.process_time(), []
        rng = np.random.default_rng(SEED)
        looks = predictions(rng, method, model.configuration, folder, names, with_lesion=True)
        for one in looks:
            score = one.result.joined(model.calibration.shares_for(one.result.contrast))
            scores.append(average_precision(rank(score, one.truth, one.brain)))
        found[way] = {"ap": scores, "cpu_s": time.process_time() - began}
    return found


def page(found: dict[str, Any]) -> list[str]:
    if not found:
        return ["Not measured: the prepared cases of the shipped model's training are not at hand."]
    thorough, fast = (np.array(found[way]["ap"]) for way in ("thorough", "fast"))
    rows = []
    for number, look in enumerate(LOOKS):
        one, other = thorough[number :: len(LOOKS)], fast[number :: len(LOOKS)]
        rows.append(_row(look, one, other))
    rows.append(_row("all", thorough, fast))
    by_case = (fast - thorough).reshape(-1, len(LOOKS)).mean(1)
    return [
        f"Mean AP of the shipped model on synthetic lesions in {len(found['cases'])} healthy scans "
        f"that it was not trained on ({', '.join(found['cases'])}), each in {len(LOOKS)} contrasts "
        "with the same lesions both ways:",
        "",
        markdown_table(rows),
        "",
        f"Difference: {by_case.mean():+.4f} (95% interval over scans "
        f"{estimate_mean([float(v) for v in by_case]).text()}). No real lesion was looked at.",
    ]


def _row(name: str, thorough: np.ndarray, fast: np.ndarray) -> dict[str, str]:
    return {
        "contrast": name,
        "AP": f"{thorough.mean():.4f}",
        "AP, --fast": f"{fast.mean():.4f}",
        "difference": f"{fast.mean() - thorough.mean():+.4f}",
    }
