"""Evaluation, and how quick each command answers."""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from typing import Any

from disanat.reporting.markdown import markdown_table
from speed_runs import child
from steps import ROOT

__all__ = ["measure", "page"]

VOXELS = 10_000_000
TRIES = 3


def measure() -> dict[str, Any]:
    return {"ap": child("evaluate", voxels=VOXELS), "quick": _answers()}


def _answers() -> dict[str, float]:
    """Processor seconds of the package's import and of each command's --help, the best of three."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    commands = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "COMMANDS"
    )
    found = {"import disanat": _best("import disanat")}
    for name, entry in commands.items():
        module = entry.partition(":")[0]
        found[f"{name} --help"] = _best(f"from {module} import main; main(['--help'])")
    return found


def _best(code: str) -> float:
    seconds = []
    for _ in range(TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{code}: {done.stderr.decode()[-500:]}")
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def page(found: dict[str, Any]) -> list[str]:
    ap, quick = found["ap"], found["quick"]
    rows = [{"": name, "processor seconds": f"{s:.2f}"} for name, s in quick.items()]
    return [
        f"Exact average precision over {VOXELS / 1e6:.0f} million voxels, 5% of them lesion: "
        f"**{ap['ap_s']:.2f} s**, sorting included; best Dice {ap['dice_s']:.2f} s more. "
        f"scikit-learn's plain definition takes {ap['plain_s'] / ap['ap_s']:.1f} times as long and "
        f"gives the same ({ap['difference']:.1e} apart).",
        "",
        f"Answers: the slowest takes **{max(quick.values()):.2f} s** (best of {TRIES}).",
        "",
        markdown_table(rows),
    ]
