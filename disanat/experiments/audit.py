"""Does a model know its training scans again? Membership inference from what it rebuilds.

Whoever has a model and a scan may ask whether the scan was in the training. The attack here: a
scan that is rebuilt better than others probably was. It takes the two errors of
`disanat.experiments.rebuilding`; its score is minus the error. Scans differ in how hard they are
to rebuild, which hides what was memorised; so the band error is divided by the scan's own power in
the band. (Membership inference from a model's loss: Yeom et al., IEEE CSF 2018.)
"""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from disanat.errors import DatasetError, DisanatError, ImageError, ModelError
from disanat.evaluation.bootstrap import Estimate, estimate_area
from disanat.evaluation.metrics import true_positive_rate
from disanat.experiments.rebuilding import band_limits, rebuilding
from disanat.home import atomic_path, read_json, write_json
from disanat.inference.model import DESCRIPTION, REMEDY, Model, finished, trained_on
from disanat.inference.preparation import prepare_case
from disanat.io.cases import Case, find_brain_mask, find_cases
from disanat.io.images import read_scan
from disanat.methods.interface import Method
from disanat.preprocessing.healthy import read_case

__all__ = ["FALSE_ALARMS", "MEASURES", "Attack", "Audit", "AuditedCase", "audit", "write_audit"]

log = logging.getLogger(__name__)

FALSE_ALARMS = 0.1
"""Of the others, how many an attacker may take for members by mistake."""
MEASURES = {"plain": "plain error", "band": "mid-band error"}
_SCHEMA = 1
_NAMED = 5
_GROUPS = {"member": "--members", "nonmember": "--nonmembers"}


@dataclass(frozen=True)
class AuditedCase:
    """One row of `audit.csv`; a case that could not be used has a message and no errors."""

    case: str
    group: str
    """`member` or `nonmember`."""
    channels: str
    plain: float | None = None
    band: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Attack:
    """How well one error tells members from others.

    `area` is the area under the ROC: 0.5 is guessing, 1 means that each member is rebuilt better
    than every other scan. `caught` is the share of members found at `FALSE_ALARMS`; None where
    there are too few others to tell.
    """

    measure: str
    area: Estimate
    caught: float | None


@dataclass(frozen=True)
class Audit:
    """All that was found about one model."""

    cases: tuple[AuditedCase, ...]
    attacks: tuple[Attack, ...]
    verdict: str
    warnings: tuple[str, ...]

    def errors(self, group: str, measure: str) -> list[float]:
        """Of the cases of a group that could be used."""
        found = [getattr(c, measure) for c in self.cases if c.group == group]
        return [value for value in found if value is not None]


def audit(model: Model, members: Path, nonmembers: Path, brain_masks: Path | None = None) -> Audit:
    """Attack a model with scans that it was trained on and scans that it was not.

    Args:
        model: as loaded.
        members: folder of scans of the training.
        nonmembers: folder of other scans, best of the same kind.
        brain_masks: folder of the user's own masks; else the brain is found as at prediction.

    Raises:
        ModelError: the model was never trained.
        DatasetError: a folder is missing or empty, a scan is in both or twice in one, or no case of
            a folder can be used.
    """
    _check_model(model)
    folders = {"member": members, "nonmember": nonmembers}
    groups = {group: _cases(folder, _GROUPS[group]) for group, folder in folders.items()}
    _check_apart(groups, folders)
    if brain_masks is not None and not brain_masks.is_dir():
        raise DatasetError(
            f"{brain_masks} is not a folder: give the folder of brain masks with --brain_masks."
        )
    warnings = _unexpected(model, groups)
    for warning in warnings:
        log.warning("%s", warning)
    todo = [(group, case) for group, cases in groups.items() for case in cases]
    rows = tuple(
        _attacked(model, group, case, brain_masks)
        for group, case in tqdm(todo, desc="auditing", unit="case", disable=None)
    )
    for group, folder in folders.items():
        if all(row.message for row in rows if row.group == group):
            first = next(row for row in rows if row.group == group)
            raise DatasetError(
                f"{folder} has no case that can be used ({first.message}) Give other scans with "
                f"{_GROUPS[group]}."
            )
    attacks = tuple(_attack(rows, measure) for measure in MEASURES)
    return Audit(rows, attacks, _verdict(rows, attacks), warnings)


def _check_model(model: Model) -> None:
    if isinstance(model.method, Method) and not model.method.trainable:
        raise ModelError(
            f"{model.folder} is of method {model.method.name}, which is not trained and rebuilds "
            "no scan, so there is nothing to audit: name a trained model with -m."
        )


def _cases(folder: Path, flag: str) -> list[Case]:
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder: give a folder of scans with {flag}.")
    return find_cases(folder)


def _check_apart(groups: dict[str, list[Case]], folders: dict[str, Path]) -> None:
    """Refuse a case that is in both groups, by its name or by what its files hold."""
    names = [{case.name for case in cases} for cases in groups.values()]
    both = sorted(names[0] & names[1])
    if both:
        raise DatasetError(
            f"Case {both[0]}{' and others are' if len(both) > 1 else ' is'} in both "
            f"{folders['member']} and {folders['nonmember']}: take it out of one of them."
        )
    seen: dict[str, tuple[str, Path]] = {}
    for name, path, content in _contents(groups):
        before, file = seen.setdefault(content, (name, path))
        if before != name:
            raise DatasetError(f"{file} and {path} hold the same scan: take one of them out.")


def _contents(groups: dict[str, list[Case]]) -> Iterator[tuple[str, Path, str]]:
    """Case, file and content of all scans that can be read; the others fail later, by name."""
    for cases in groups.values():
        for case in cases:
            for path in case.channels.values():
                try:
                    scan = read_scan(path)
                except ImageError:
                    continue
                content = hashlib.sha256(np.ascontiguousarray(scan.array).tobytes())
                content.update(str(scan.array.shape).encode())
                yield case.name, path, content.hexdigest()


def _unexpected(model: Model, groups: dict[str, list[Case]]) -> tuple[str, ...]:
    """What contradicts the model's own list of training cases, where it has one."""
    known = set(_all_trained_on(model.folder))
    if not known:
        return ()
    strangers = [case.name for case in groups["member"] if case.name not in known]
    trained = [case.name for case in groups["nonmember"] if case.name in known]
    said = []
    if strangers:
        said.append(
            f"{model.folder / DESCRIPTION} does not list {_named(strangers)} among its training "
            "cases: check that --members holds scans of this training."
        )
    if trained:
        said.append(
            f"{model.folder / DESCRIPTION} lists {_named(trained)} among its training cases: "
            "take what it was trained on out of --nonmembers."
        )
    return tuple(said)


def _all_trained_on(folder: Path) -> tuple[str, ...]:
    """Of an ensemble, the training cases of all its members."""
    members = read_json(folder / DESCRIPTION, ModelError, REMEDY).get("members", {})
    parts = [folder.parent / name for name in members] or [folder]
    return tuple(name for part in parts for name in trained_on(part))


def _named(cases: Sequence[str]) -> str:
    more = len(cases) - _NAMED
    return ", ".join(cases[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _attacked(model: Model, group: str, case: Case, masks: Path | None) -> AuditedCase:
    channels = " ".join(map(str, case.channels))
    planned = model.configuration.spacing
    try:
        mask = find_brain_mask(masks, case.name) if masks else None
        prepared = prepare_case(
            read_case(case), planned, model.plans.brain_mask_tool, mask, model.plans.preparation
        )
        shown = list(prepared.channels.values())
        errors = rebuilding(shown, model.method.predict(shown), planned)
    except DisanatError as mistake:
        log.warning("case %s is left out: %s", case.name, mistake)
        return AuditedCase(case.name, group, channels, message=str(mistake))
    return AuditedCase(case.name, group, channels, errors.plain, errors.band)


def _scores(rows: Sequence[AuditedCase], group: str, measure: str) -> list[float]:
    found = [getattr(row, measure) for row in rows if row.group == group]
    return [-value for value in found if value is not None]


def _attack(rows: Sequence[AuditedCase], measure: str) -> Attack:
    members, others = (_scores(rows, group, measure) for group in _GROUPS)
    caught = true_positive_rate(members, others, FALSE_ALARMS)
    return Attack(measure, estimate_area(members, others), caught)


def _verdict(rows: Sequence[AuditedCase], attacks: Sequence[Attack]) -> str:
    """One sentence; what speaks for memorisation comes before all else."""
    told = {a: f"{MEASURES[a.measure]}: AUC {a.area.text(2)}" for a in attacks}
    if any(a.area.low is None or a.area.high is None for a in attacks):
        return (
            "Too few cases to tell: below five in a group there is no interval, so give more "
            "scans with --members and --nonmembers."
        )
    above = [told[a] for a in attacks if a.area.low is not None and a.area.low > 0.5]
    below = [told[a] for a in attacks if a.area.high is not None and a.area.high < 0.5]
    if above:
        return (
            f"Members are rebuilt better than the others ({'; '.join(above)}): the model shows "
            "who was in its training, unless the groups differ in something else, such as the "
            "scanner."
        )
    if below:
        return (
            f"The others are rebuilt better than the members ({'; '.join(below)}): the groups "
            "differ in something else than the training, so this audit cannot tell; give scans "
            "of the same kind."
        )
    sizes = [len(_scores(rows, group, attacks[0].measure)) for group in _GROUPS]
    return (
        f"No evidence of memorisation with this attack at this sample size ({sizes[0]} members, "
        f"{sizes[1]} others); it is not a proof of privacy."
    )


def write_audit(found: Audit, model: Model, folders: tuple[Path, Path], target: Path) -> None:
    """Write `audit.json` (everything) and `audit.csv` (a row a case) into a folder.

    Args:
        found: by `audit`.
        model: that was audited.
        folders: of the members and of the others.
        target: where to, made if need be.
    """
    limits = band_limits(model.configuration.spacing)
    write_json(
        {
            "schema_version": _SCHEMA,
            "model": str(model.folder),
            "finished": finished(model.folder),
            "method": model.method.name,
            "configuration": model.configuration.name,
            "dataset": model.plans.dataset,
            "members": str(folders[0]),
            "nonmembers": str(folders[1]),
            "band_cycles_per_mm": {"lowest": limits[0], "highest": limits[1]},
            "false_alarms": FALSE_ALARMS,
            **asdict(found),
        },
        target / "audit.json",
    )
    with (
        atomic_path(target / "audit.csv") as temporary,
        temporary.open("w", encoding="utf-8", newline="") as handle,
    ):
        writer = csv.DictWriter(handle, [f.name for f in fields(AuditedCase)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in found.cases)
