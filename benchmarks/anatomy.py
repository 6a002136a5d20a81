"""How good a model's anatomy is on healthy scans it has not seen, and what it withstands.

`benchmarks/anatomy.md` is only ever written by this script.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from contrast_shifts import SHIFTS
from disanat.errors import DisanatError
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.reporting.markdown import markdown_table
from disanat.synthesis.render import Contrast, render
from disanat.tissues import class_kinds, whole_numbers
from held_out import HeldOut, Judged, build_parser, cell, judge, unseen_maps, write_page

PAGE = "benchmarks/anatomy.md"
RENDERED: tuple[Contrast, ...] = ("t1", "t2", "flair", "pd", "free")
DRAWS = 3
AS_IT_IS = "T1 as it is"
OF_SCANS, OF_MAPS = "rendered", "unseen maps"
WAYS = ("observed", "restored")
Dice = dict[tuple[str, str], list[np.ndarray]]
"""By look and way (observed, restored): one array over the classes for each scan."""


def class_dice(named: np.ndarray, truth: np.ndarray, where: np.ndarray, classes: int) -> np.ndarray:
    """Dice of each class over some voxels; NaN for a class that neither has."""
    a, b = named[where], truth[where]
    sizes = np.array([[np.sum(a == k), np.sum(b == k)] for k in range(1, classes + 1)]).sum(1)
    both = np.array([np.sum((a == k) & (b == k)) for k in range(1, classes + 1)])
    return np.where(sizes > 0, 2 * both / np.maximum(sizes, 1), np.nan)


def rendered(
    rng: np.random.Generator, judged: Judged, case: HeldOut, number: int, draws: int, kind: str
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, image and brain of a case's label map in some of the contrasts, which take turns."""
    configuration = judged.model.configuration
    for draw in range(number * draws, (number + 1) * draws):
        contrast = RENDERED[draw % len(RENDERED)]
        look = render(rng, case.labels, case.whole, case.sample, None, judged.model.method.scheme,
                      case.spacing, configuration.augmentation, contrast)  # fmt: skip
        yield f"{kind}, {contrast}", look.image, case.brain & (look.image > OUTSIDE)


def measure(judged: Judged, seed: int, draws: int) -> tuple[Dice, Dice]:
    """Dice against the label maps, and Dice of changed against unchanged scans."""
    truthful: Dice = {}
    steady: Dice = {}
    whole = whole_numbers(judged.model.method.scheme)
    classes = int(whole.max())
    maps = unseen_maps(judged, seed)
    steps = len(judged.cases) * (1 + draws + len(SHIFTS)) + len(maps) * draws
    with tqdm(total=steps, desc="anatomy", disable=None) as bar:
        for number, case in enumerate(judged.cases):
            rng = np.random.default_rng([seed, number])
            before = _anatomies(judged, case.image, case.brain)
            looks = [
                (AS_IT_IS, case.image, case.brain),
                *rendered(rng, judged, case, number, draws, OF_SCANS),
            ]
            for name, image, brain in looks:
                found = before if name == AS_IT_IS else _anatomies(judged, image, brain)
                for way, named in found.items():
                    dice = class_dice(named, whole[case.tissue], brain, classes)
                    truthful.setdefault((name, way), []).append(dice)
                bar.update()
            for name, change in SHIFTS.items():
                changed = change(rng, case.image, case.brain, case.spacing)
                for way, named in _anatomies(judged, changed, case.brain).items():
                    dice = class_dice(named, before[way], case.brain, classes)
                    steady.setdefault((name, way), []).append(dice)
                bar.update()
        for number, case in enumerate(maps):
            rng = np.random.default_rng([seed, number, 1])
            for name, image, brain in rendered(rng, judged, case, number, draws, OF_MAPS):
                for way, named in _anatomies(judged, image, brain).items():
                    dice = class_dice(named, whole[case.tissue], brain, classes)
                    truthful.setdefault((name, way), []).append(dice)
                bar.update()
    return truthful, steady


def _anatomies(judged: Judged, image: np.ndarray, brain: np.ndarray) -> dict[str, np.ndarray]:
    channel, _ = judged.channel(image, brain)
    whole = whole_numbers(judged.model.method.scheme)
    return {way: whole[named] for way, named in zip(WAYS, judged.anatomies(channel))}


def dice_rows(found: Dice, names: Sequence[str]) -> list[dict[str, str]]:
    """A row a look, with the mean over its classes, and one of all rendered scans together."""
    rows = []
    for way in WAYS:
        looks = {look: np.array(v) for (look, w), v in found.items() if w == way}
        for kind in (OF_SCANS, OF_MAPS):
            everything = [v for look, v in looks.items() if look.startswith(kind)]
            if everything:
                looks[f"{kind}, all"] = np.concatenate(everything)
        for look, table in looks.items():
            cells = {name: cell(table[:, k]) for k, name in enumerate(names)}
            rows.append({"scan": look, "anatomy": way, "mean": cell(np.nanmean(table, 1)), **cells})
    return rows


def shift_rows(found: Dice, fluid: int, fluid_name: str) -> list[dict[str, str]]:
    """A row a change: mean over the classes and the ventricles, as observed and restored."""
    looks = [*dict.fromkeys(look for look, _ in found)]
    columns: dict[str, dict[str, np.ndarray]] = {}
    for look in looks:
        for way in WAYS:
            table = np.array(found[look, way])
            columns.setdefault(f"{way}: mean", {})[look] = np.nanmean(table, 1)
            columns.setdefault(f"{way}: {fluid_name}", {})[look] = table[:, fluid]
    for values in columns.values():
        values["mean"] = np.nanmean([values[look] for look in looks], axis=0)
    return [
        {"change": look, **{name: cell(values[look]) for name, values in columns.items()}}
        for look in (*looks, "mean")
    ]


def page(judged: Judged, truthful: Dice, steady: Dice, draws: int) -> list[str]:
    """The page's title and what stands below its facts."""
    scheme = judged.model.method.scheme
    names = [c.name for c in scheme if not c.part_of]
    fluid = class_kinds(scheme, "csf")[-1] - 1
    return [
        "# Anatomy of healthy scans",
        "",
        "Mean Dice over the scans (and of the worst scan), inside the brain mask that the model is",
        "given. *Observed* is the encoder's anatomy, *restored* what was rebuilt from its edges.",
        "",
        "## Against the label maps",
        "",
        f"The T1 as it is, and the label maps rendered in random contrasts ({draws} draws a case;",
        "the weightings take turns) with the noise, bias field, blur and imprecise masks of",
        "training. Partial-volume classes count for what they are part of. Two fifths of the looks",
        "by signal equations are shown on the scan itself, recoloured. *Unseen maps*: label maps",
        "of another program and other people, without scans; none of them trained anything.",
        "",
        markdown_table(dice_rows(truthful, names)),
        "",
        "## Under changes of the scan",
        "",
        "Dice between the anatomy of the changed and of the unchanged T1, mean over the classes.",
        "Changed scans are standardised anew. SD: of the brain. Slices no thicker than the plan's",
        "are only shifted and interpolated.",
        "",
        markdown_table(shift_rows(steady, fluid, names[fluid])),
    ]


def main() -> int:
    parser = build_parser("Judge a model's anatomy on healthy scans.", PAGE)
    parser.add_argument(
        "--draws", type=int, default=DRAWS, help="rendered scans of every case (default: 3)"
    )
    args = parser.parse_args()
    start = time.monotonic()
    try:
        judged = judge(args)
    except DisanatError as error:
        print(error, file=sys.stderr)
        return 1
    truthful, steady = measure(judged, args.seed, args.draws)
    minutes = (time.monotonic() - start) / 60
    print(write_page(judged, args, minutes, page(judged, truthful, steady, args.draws)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
