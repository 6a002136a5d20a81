"""Do two scans show one brain, the right way round? How far their tissues agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from disanat.anatomy.anatomy_registration import mirrored_agreement, register_linear
from registration_bench import ALIGNED, Bench, Row
from registration_cases import Seen, with_array

__all__ = ["same"]

HARD = ("inverted", "gamma 2", "slices of 5 mm")


def same(bench: Bench) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """Agreement of scans of one brain, of mirrored ones and of two people."""
    names = bench.bound_cases[: bench.args.bound + 1]
    for a, b in zip(names, names[1:]):
        yield f"same {a}", lambda a=a, b=b: _same(bench, a, b)
    subjects = [f"{k:02d}" for k in range(1, bench.args.elderly + 2)]
    for a, b in zip(subjects, subjects[1:]):
        yield f"same elderly {a}", lambda a=a, b=b: _same_elderly(bench, a, b)
    for name, (first, others) in ALIGNED.items():
        for contrast, path in others.items():
            yield (
                f"same {name} {contrast}",
                lambda n=name, f=first, p=path: [
                    _judged(bench.kept(f), bench.kept(p), f"{n}, contrasts of one patient")
                ],
            )


def _judged(fixed: Seen, moving: Seen, who: str) -> Row:
    made = register_linear(fixed.anatomy, moving.anatomy)
    own, mirrored = mirrored_agreement(fixed.anatomy, moving.anatomy, made.matrix)
    return {"who": who, "agreement": own, "mirrored": mirrored}


def _mirror(seen: Seen) -> Seen:
    return Seen(with_array(seen.scan, seen.scan.array[:, :, ::-1].copy()), seen.encoder)


def _same(bench: Bench, a: str, b: str) -> list[Row]:
    fixed = bench.person(a)
    rng = np.random.default_rng([bench.args.seed, 5])
    rows = [_judged(fixed, bench.changed(a, c, rng), f"IXI, changed: {c}") for c in HARD]
    rows.append(_judged(fixed, _mirror(bench.changed(a, "inverted", rng)), "IXI, mirrored"))
    return [*rows, _judged(fixed, bench.person(b), "IXI, another person")]


def _same_elderly(bench: Bench, a: str, b: str) -> list[Row]:
    t1 = bench.kept(f"elderly_t1_flair/t1/Subj{a}_T1.nii.gz")
    own, others = (bench.kept(f"elderly_t1_flair/fl/Subj{k}_FL.nii.gz") for k in (a, b))
    return [
        _judged(t1, own, "elderly, T1 and FLAIR"),
        _judged(t1, _mirror(own), "elderly, FLAIR mirrored"),
        _judged(t1, others, "elderly, another person's FLAIR"),
    ]
