"""Plans for the real sets, with their reasons, written into `documentation/how_it_plans.md`.

    DISANAT_TEST_DATA=../shared/data python benchmarks/plans.py

Most of these sets are there to test on and hold too few scans to train on; here they stand for
healthy sets of their kind, to show how geometry, contrasts and skulls change a plan.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from dataset_conversion.convert import convert
from dataset_conversion.registry import CONVERTERS
from disanat.home import Home
from disanat.io.dataset import read_dataset
from disanat.plans import Plans
from planning.aggregate import aggregate
from planning.explain import explain
from planning.fingerprint import examine_dataset
from planning.plan_dataset import shipped_encoder
from planning.planner import Overrides, plan
from steps import ROOT, commit

PAGE = "documentation/how_it_plans.md"
BEGIN = "<!-- from here on written by benchmarks/plans.py -->"
MEMORY_GB = 12.0
CONFIGURATIONS = ("2d", "3d_fullres")


def mixed_grids(source: Path, home: Home) -> Path:
    """T1 and FLAIR of elderly people on different grids: each scan is a case of its own."""
    folder = home.raw / "Dataset008_Elderly"
    (folder / "imagesTr").mkdir(parents=True)
    for channel, kind in enumerate(("t1", "fl")):
        for scan in sorted((source / kind).glob("*.nii.gz")):
            name = scan.name.split(".")[0].replace("_", "-")
            (folder / "imagesTr" / f"{name}_{channel:04d}.nii.gz").symlink_to(scan)
    declared = {"channel_names": {"0": "T1", "1": "FLAIR"}}
    (folder / "dataset.json").write_text(json.dumps(declared))
    return folder


def as_training(name: str) -> Callable[[Path, Home], Path]:
    """The test scans of a set, put where training scans lie."""

    def converted(source: Path, home: Home) -> Path:
        folder = convert(CONVERTERS[name], source, home, link=True)
        if not (folder / "imagesTr").exists():
            (folder / "imagesTs").rename(folder / "imagesTr")
        return folder

    return converted


SETS: dict[str, tuple[str, Callable[[Path, Home], Path]]] = {
    "IXI, T1 at 2 mm with label maps": ("ixi_t1_2mm", as_training("ixi")),
    "BraTS2021, four contrasts at 1 mm, stripped": ("brats2021", as_training("brats2021")),
    "ISBI2015, FLAIR in thick slices": ("isbi2015", as_training("isbi2015")),
    "LGG, three contrasts in 7 mm slices": ("lgg", as_training("lgg")),
    "T1 and FLAIR of elderly people on different grids": ("elderly_t1_flair", mixed_grids),
}


def plan_set(source: Path, converted: Callable[[Path, Home], Path]) -> tuple[Plans, int]:
    """The plan of one set, and how many cases it follows from."""
    with tempfile.TemporaryDirectory() as folder:
        raw = read_dataset(converted(source, Home(Path(folder))))
        examined = examine_dataset(raw, 2, True)
        for one in examined:
            for problem in one.problems:
                print(f"left out, {one.case}: {problem.sentence}")
        cases = [one.fingerprint for one in examined if one.fingerprint]
        plans = plan(
            aggregate(raw, cases),
            raw.label_mapping,
            device="cuda",
            number_format="bfloat16",
            memory_gb=MEMORY_GB,
            configurations=CONFIGURATIONS,
            overrides=Overrides(memory_given=True),
            encoder=shipped_encoder(),
        )
    return plans, len(cases)


def section(data: Path) -> str:
    """The whole section, in Markdown."""
    parts = [
        BEGIN,
        "",
        "## Real plans",
        "",
        f"What the planner says for a GPU with {MEMORY_GB:g} GB and five kinds of data, word for",
        f"word (date {datetime.date.today()}, commit {commit((PAGE,))}).",
        "",
    ]
    for title, (folder, converted) in SETS.items():
        print(title, flush=True)
        plans, cases = plan_set((data / folder).resolve(), converted)
        parts += [f"### {title} ({cases} cases)", "", "```", explain(plans), "```", ""]
    return "\n".join(parts)


def main() -> None:
    data = Path(os.environ.get("DISANAT_TEST_DATA", "../shared/data"))
    page = ROOT / PAGE
    before = page.read_text(encoding="utf-8").partition(BEGIN)[0].rstrip()
    page.write_text(f"{before}\n\n{section(data).rstrip()}\n", encoding="utf-8")
    print(f"Written: {PAGE}")


if __name__ == "__main__":
    main()
