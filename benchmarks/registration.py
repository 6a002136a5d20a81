"""Registration by anatomy and by intensity: how exact, how robust, how smooth, how quick.

`benchmarks/registration.md` is only ever written by this script. What was measured is kept in
`--work`, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.anatomy.anatomy_registration import distance_mm, register_linear
from disanat.anatomy.anatomy_registration_dense import jacobian_determinants, register_dense
from disanat.anatomy.soft_anatomy import moved_points
from disanat.errors import DatasetError, DisanatError
from disanat.inference.soft_anatomy import anatomy_encoder
from disanat.io.images import read_labels
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, remap_labels
from disanat.training.splits import split_cases
from registration_bench import ALIGNED, Bench, Row
from registration_cases import (
    Seen,
    affine_by_intensity,
    label_dice,
    moved_scan,
    random_move,
    rigid_by_anatomy,
    rigid_by_both,
    rigid_by_intensity,
)
from registration_page import PAGE, write_page
from registration_same import same
from steps import ROOT

ROUTES = {
    "anatomy": rigid_by_anatomy, "both": rigid_by_both, "intensity": rigid_by_intensity,
}  # fmt: skip
CHANGES = ("none", "inverted", "gamma 0.5", "gamma 2")
MOST_TURN_DEG, MOST_SHIFT_MM = 45.0, 40.0
WAYS = ("header", "turned")


def people(bench: Bench) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """Pairs of people: overlap of regions that had no part in the registration."""
    names = bench.cases[: 2 * bench.args.pairs]
    for a, b in zip(names[::2], names[1::2]):
        yield f"people {a} {b}", lambda a=a, b=b: _people(bench, a, b)


def _people(bench: Bench, a: str, b: str) -> list[Row]:
    fixed, moving = bench.person(a), bench.person(b)
    ours, theirs = fixed.anatomy, moving.anatomy
    labels = [read_labels(bench.ixi / "priorsTr" / f"{n}.nii.gz") for n in (a, b)]
    most = int(max(one.array.max() for one in labels)) + 1
    groups = remap_labels(np.arange(most), NUMBERINGS["dlmuse"], EIGHT_CLASSES)
    places = ours.coarse(4.0).places()
    rows = []

    def linear(route: str, find: Callable[[Seen, Seen], np.ndarray]) -> np.ndarray:
        began = time.process_time()
        matrix = find(fixed, moving)
        seconds = time.process_time() - began
        back = find(moving, fixed) @ matrix
        add(route, lambda p: moved_points(matrix, p), seconds, distance_mm(back, np.eye(4), places))
        return matrix

    def add(route: str, forward: Callable[[np.ndarray], np.ndarray], seconds: float,
            away: float, jacobian: np.ndarray | None = None) -> None:  # fmt: skip
        rows.append({
            "route": route,
            "regions": label_dice(*labels, forward),
            "tissues": label_dice(*labels, forward, groups),
            "seconds": seconds,
            "inverse_mm": away,
            "folded": 0.0 if jacobian is None else float((jacobian <= 0).mean()),
            "least_jacobian": float("nan") if jacobian is None else float(jacobian.min()),
        })  # fmt: skip

    add("none: by the headers", lambda p: p, 0.0, 0.0)
    linear("intensity, affine", affine_by_intensity)
    linear("anatomy, rigid", lambda f, m: register_linear(f.anatomy, m.anatomy).matrix)
    matrix = linear(
        "anatomy, affine", lambda f, m: register_linear(f.anatomy, m.anatomy, "affine").matrix
    )
    began = time.process_time()
    dense = register_dense(ours, theirs, matrix)
    seconds = time.process_time() - began
    away = dense.inconsistency_mm(places)[0]
    add("anatomy, dense", dense.forward, seconds, away, jacobian_determinants(dense, ours))
    return rows


def contrasts(bench: Bench) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """T1 against itself in another contrast, put elsewhere."""
    for draw in range(bench.args.draws):
        for number, name in enumerate(bench.cases[: bench.args.contrasts]):
            for change in CHANGES:
                for way in WAYS:
                    seed = [bench.args.seed, number, CHANGES.index(change), WAYS.index(way), draw]
                    yield (
                        f"contrast {draw} {name} {change} {way}",
                        lambda n=name, c=change, w=way, s=seed: _contrast(bench, n, c, w, s),
                    )


def _contrast(bench: Bench, name: str, change: str, way: str, seed: list[int]) -> list[Row]:
    rng = np.random.default_rng(seed)
    other = bench.changed(name, change, rng)
    return _displaced(rng, bench.person(name), other, way, {"change": change, "way": way})


def _displaced(
    rng: np.random.Generator,
    fixed: Seen,
    other: Seen,
    way: str,
    about: Row,
    lie: np.ndarray | None = None,
    routes: Sequence[str] = tuple(ROUTES),
) -> list[Row]:
    """Each route on a scan put elsewhere; `lie` is how it lay to the fixed one before."""
    centre = fixed.anatomy.centre
    turn, shift = rng.uniform(0, MOST_TURN_DEG), rng.uniform(0, MOST_SHIFT_MM)
    move = random_move(rng, centre, turn, shift)
    moving = Seen(moved_scan(other.scan, move, centre, way == "turned"), fixed.encoder)
    truth = move if lie is None else move @ lie
    places = fixed.anatomy.coarse(6.0).places()
    rows = []
    for route in routes:
        found = ROUTES[route](fixed, moving)
        rows.append({
            **about,
            "turn": turn,
            "shift": shift,
            "route": route,
            "error_mm": found.error_mm(truth, places),
            "refused": found.matrix is None,
            "agreement": found.agreement,
            "seconds": found.seconds,
            "why": found.why,
        })  # fmt: skip
    return rows


def aligned(bench: Bench) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """Channels that lay on each other before one of them was put elsewhere."""
    for draw in range(bench.args.draws):
        for number, (name, (first, others)) in enumerate(ALIGNED.items()):
            for contrast, path in others.items():
                seed = [bench.args.seed, number, len(contrast), draw, 7]
                yield (
                    f"aligned {draw} {name} {contrast}",
                    lambda n=name, c=contrast, f=first, p=path, s=seed: _displaced(
                        np.random.default_rng(s),
                        bench.kept(f),
                        bench.kept(p),
                        "header",
                        {"set": n, "contrast": c},
                    ),
                )


def elderly(bench: Bench) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """T1 and FLAIR of elderly people: the routes compared, then from random starts."""
    for k in range(1, bench.args.elderly + 1):
        yield f"elderly {k}", lambda k=k: _elderly(bench, k)


def _elderly(bench: Bench, k: int) -> list[Row]:
    t1 = bench.kept(f"elderly_t1_flair/t1/Subj{k:02d}_T1.nii.gz")
    flair = bench.kept(f"elderly_t1_flair/fl/Subj{k:02d}_FL.nii.gz")
    found_by = {route: find(t1, flair) for route, find in ROUTES.items()}
    places = t1.anatomy.coarse(6.0).places()
    by_intensity = found_by["intensity"].matrix
    rows: list[Row] = [
        {
            "subject": k,
            "kind": "still",
            "route": route,
            "apart_mm": float("inf")
            if found.matrix is None or by_intensity is None
            else distance_mm(found.matrix, by_intensity, places),
        }
        for route, found in found_by.items()
    ]
    for draw in range(bench.args.draws):
        for route, found in found_by.items():
            if found.matrix is None:
                continue
            rng = np.random.default_rng([bench.args.seed, k, draw, 3])
            rows += _displaced(
                rng, t1, flair, "header", {"kind": "moved"}, found.matrix, (route,)
            )
    return rows


PARTS = {
    "same": same, "people": people, "contrasts": contrasts, "aligned": aligned, "elderly": elderly,
}  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / "real_home", help="with Dataset005_IXI")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="real scans")
    parser.add_argument("--work", type=Path, default=Path("registration_work"))
    parser.add_argument("--parts", nargs="*", default=list(PARTS), help="none: the page alone")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of people")
    parser.add_argument("--bound", type=int, default=2, help="people for the agreement")
    parser.add_argument("--contrasts", type=int, default=2, help="people put elsewhere")
    parser.add_argument("--elderly", type=int, default=4, help="pairs of T1 and FLAIR")
    parser.add_argument("--draws", type=int, default=1, help="random places for each of these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, default=ROOT / PAGE)
    return parser


def _bench(args: argparse.Namespace) -> Bench:
    ixi = args.home / "raw" / "Dataset005_IXI"
    names = [p.name[: -len("_0000.nii.gz")] for p in sorted((ixi / "imagesTr").glob("*.nii.gz"))]
    if not names:
        raise DatasetError(f"{ixi} holds no scans: convert IXI first, or give --home.")
    split = split_cases(names, 0)  # the shipped model's: fold 0
    return Bench(ixi, args.data, anatomy_encoder(), split.validation,
                 (*split.reference, *split.threshold), args)  # fmt: skip


def main() -> int:
    args = build_parser().parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    unknown = set(args.parts) - set(PARTS)
    try:
        if unknown:
            raise DatasetError(f"No part {', '.join(unknown)}: give some of {', '.join(PARTS)}.")
        bench = _bench(args)
        for part in args.parts:
            for key, measure in tqdm(list(PARTS[part](bench)), desc=part, disable=None):
                target = args.work / f"{key.replace(' ', '_')}.json"
                if not target.exists():
                    target.write_text(json.dumps([{"part": part, **r} for r in measure()]))
    except DisanatError as mistake:
        sys.exit(str(mistake))
    kept = sorted(args.work.glob("*.json"))
    rows = [row for path in kept for row in json.loads(path.read_text())]
    print(write_page(rows, args.page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
