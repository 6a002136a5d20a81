"""Does a trained model show who was in its training? `disanat_audit` on cases of its own dataset.

    python benchmarks/audit.py [-m MODEL] [--images FOLDER]        -> benchmarks/audit.md

Members are cases that its networks were trained on, the others cases that were set aside for the
calibration: the same scanner, the same people's study, drawn apart by chance.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from disanat.errors import ModelError
from disanat.experiments.audit import FALSE_ALARMS, MEASURES, Audit, audit
from disanat.experiments.rebuilding import band_limits
from disanat.home import atomic_path, read_json, resolve_home
from disanat.inference.find import find_model
from disanat.inference.model import DESCRIPTION, REMEDY, Model, load_model
from disanat.io.cases import find_cases
from disanat.networks.precision import default_device
from disanat.reporting.markdown import markdown_table
from steps import ROOT, commit, machine

PAGE = "benchmarks/audit.md"
INTRO = """\
Written by `benchmarks/audit.py`; not edited by hand. Whole scans through the whole pipeline, brain
search included. Members trained the networks; the others were set aside for the calibration, and
no network learned from them. AUC: how often a member is rebuilt better than one of the others,
with its 95% bootstrap interval over cases."""
OUTRO = "What this does and does not say: [sharing models](../documentation/sharing_models.md)."
OTHERS = ("reference_cases", "threshold_cases")


def chosen(folder: Path, images: Path, most: int) -> tuple[list[str], list[str]]:
    """Names of members and others that have a scan, at most so many of each, spread evenly.

    Label maps without a scan train too; they cannot be audited.
    """
    facts = read_json(folder / DESCRIPTION, ModelError, REMEDY)["facts"]
    there = {case.name for case in find_cases(images)}
    members, others = facts["train_cases"], [n for group in OTHERS for n in facts[group]]
    if not isinstance(members, list):
        raise ModelError(f"{folder} does not name its cases: name a trained model with -m.")
    picked = []
    for names in (members, others):
        known = sorted(name for name in names if name in there)
        steps = np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(int)
        picked.append([known[i] for i in steps])
    return picked[0], picked[1]


@contextmanager
def folders(images: Path, groups: Sequence[Sequence[str]]) -> Iterator[list[Path]]:
    """A folder of links for each group."""
    files = {case.name: case.channels for case in find_cases(images)}
    with tempfile.TemporaryDirectory() as temporary:
        made = [Path(temporary) / f"group_{i}" for i in range(len(groups))]
        for folder, names in zip(made, groups):
            folder.mkdir()
            for name in names:
                for path in files[name].values():
                    (folder / path.name).symlink_to(path.resolve())
        yield made


def rows(found: Audit) -> list[dict[str, str]]:
    """A row for each error."""
    table = []
    for attack in found.attacks:
        groups = {g: found.errors(g, attack.measure) for g in ("member", "nonmember")}
        table.append(
            {
                "error": MEASURES[attack.measure],
                "members: median (range)": _spread(groups["member"]),
                "others: median (range)": _spread(groups["nonmember"]),
                "AUC [95% interval]": attack.area.text(2),
                f"caught at {FALSE_ALARMS:.0%} false alarms": (
                    "n/a" if attack.caught is None else f"{attack.caught:.0%}"
                ),
            }
        )
    return table


def _spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def write_page(model: Model, shown: Path, found: Audit, minutes: float, page: Path) -> str:
    """Write the page, and return it."""
    lowest, highest = (max(f) for f in band_limits(model.configuration.spacing))
    used = {
        group: [c.case for c in found.cases if c.group == group and not c.message]
        for group in ("member", "nonmember")
    }
    left_out = [f"- left out: {c.case}: {c.message}" for c in found.cases if c.message]
    text = "\n".join(
        [
            "# Membership",
            "",
            INTRO,
            "",
            f"- date {datetime.datetime.now():%Y-%m-%d %H:%M}, commit {commit([PAGE])}",
            f"- machine: {machine()}; {minutes:.0f} min",
            f"- model: {shown}, {model.method.name} on {model.plans.dataset}",
            f"- band: {lowest:.3f} to {highest:.3f} cycles per mm",
            f"- {len(used['member'])} members: {', '.join(used['member'])}",
            f"- {len(used['nonmember'])} others: {', '.join(used['nonmember'])}",
            *left_out,
            *(f"- warning: {warning}" for warning in found.warnings),
            "",
            markdown_table(rows(found)),
            "",
            f"Verdict: {found.verdict}",
            "",
            OUTRO,
            "",
        ]
    )
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-m", "--model", default="dal", help="folder (default: the last dal model)")
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="the home folder")
    parser.add_argument("--images", type=Path, help="scans (default: imagesTr of the dataset)")
    parser.add_argument("--cases", type=int, default=12, help="of each group (default: 12)")
    args = parser.parse_args()
    began = time.monotonic()
    home = resolve_home(args.home)
    folder = find_model(home, args.model)
    model = load_model(folder, default_device())
    images = args.images or home.raw / model.plans.dataset / "imagesTr"
    with folders(images, chosen(folder, images, args.cases)) as (members, others):
        found = audit(model, members, others)
    inside = folder.resolve().is_relative_to(home.root.resolve())
    shown = folder.resolve().relative_to(home.root.resolve()) if inside else Path(folder.name)
    minutes = (time.monotonic() - began) / 60
    print(write_page(model, shown, found, minutes, ROOT / PAGE))


if __name__ == "__main__":
    main()
