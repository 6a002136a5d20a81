"""Finding the scan that a case was predicted from: to show it, or to measure lesions in it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from disanat.errors import DatasetError, DisanatError
from disanat.home import read_json
from disanat.inference.records import scans_of
from disanat.io.cases import Case, find_cases
from disanat.io.content import image_digest
from disanat.io.images import Scan, read_scan

__all__ = ["Scans"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scans:
    """The scans of a folder (or one file) by case; none where it is gone, and `absent` says why."""

    predictions: Path
    cases: dict[str, Case]
    absent: str = ""

    @classmethod
    def find(cls, predictions: Path, recorded: str, given: Path | None = None) -> Scans:
        """Look where the user says, else where the predictions say they were made from.

        Args:
            predictions: folder of the predictions.
            recorded: path of the input as `prediction.json` has it; empty if it does not say.
            given: folder or file of the user.

        Raises:
            DatasetError: the user's folder holds no images.
        """
        if given is not None:
            return cls(predictions, {case.name: case for case in find_cases(given)})
        if not recorded:
            return cls(predictions, {}, "where the scans lie was not recorded: give their folder "
                       "with -s")  # fmt: skip
        try:
            return cls(predictions, {case.name: case for case in find_cases(Path(recorded))})
        except (DisanatError, OSError):
            return cls(predictions, {}, "the folder of the scans is gone: give it with -s")

    @classmethod
    def wanted(cls, predictions: Path, given: str | Path | bool) -> Scans | None:
        """The scans of a folder that the user names, or with True those that were predicted.

        Raises:
            DatasetError: the folder is not there, or holds no images.
        """
        if isinstance(given, bool):
            return cls.recorded(predictions) if given else None
        if not Path(given).exists():
            raise DatasetError(f"{given} does not exist: check the path given with -s.")
        return cls.find(predictions, "", Path(given))

    @classmethod
    def recorded(cls, predictions: Path) -> Scans:
        """The scans where they lay when they were predicted.

        Raises:
            DatasetError: `prediction.json` is damaged.
        """
        source = predictions / "prediction.json"
        facts = read_json(source, DatasetError, "predict again") if source.is_file() else {}
        recorded = facts.get("input") if isinstance(facts, dict) else None
        found = cls.find(predictions, recorded if isinstance(recorded, str) else "")
        if found.absent:
            log.warning("The contrast of the lesions is not known: %s.", found.absent)
        return found

    def of(self, case: str, channel: int) -> Path:
        """The scan of a case.

        Raises:
            DatasetError: it is gone, or is another one than was predicted.
            ImageError: it cannot be read.
        """
        if self.absent:
            raise DatasetError(self.absent)
        found = self.cases.get(case, Case(case, {})).channels.get(channel)
        if found is None:
            raise DatasetError("the scan is not in the folder of the scans")
        digest = scans_of(self.predictions, case).get(channel)
        if digest is not None and digest != image_digest(found):
            raise DatasetError("the scan was changed after the prediction")
        return found

    def readable(self, case: str, channels: Sequence[int]) -> list[Scan]:
        """These channels of a case, but for those that are gone, changed or damaged."""
        found = []
        for channel in channels:
            try:
                found.append(read_scan(self.of(case, channel)))
            except DisanatError as cause:
                log.debug("%s, channel %d: %s", case, channel, cause)
        return found
