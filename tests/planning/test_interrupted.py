"""Planning that was interrupted goes on; what cannot be understood is measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planning_command import run

from planning import fingerprint


def test_what_was_measured_is_not_measured_again(
    home: Path, prepared: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, measured = fingerprint.measure_case, []

    def interrupted(dataset: Any, case: str, *rest: Any) -> Any:
        if case == "c2" and not stopped:
            stopped.append(case)
            raise KeyboardInterrupt
        measured.append(case)
        return measure(dataset, case, *rest)

    stopped: list[str] = []
    monkeypatch.setattr(fingerprint, "measure_case", interrupted)
    folder = home / "preprocessed" / "Dataset007_Small"
    assert run(home, "-d", "7", "-np", "0") == 130
    assert measured == ["c0", "c1"] and not (folder / "plans.json").exists()
    (folder / ".disanat" / "measured" / "c1.json").write_text('{"case": "c1"}')
    assert run(home, "-d", "7", "-np", "0") == 0
    assert measured == ["c0", "c1", "c1", "c2", "c3"]
    assert not (folder / ".disanat" / "measured").exists()
    first = (folder / "dataset_fingerprint.json").read_bytes()
    (folder / "dataset_fingerprint.json").unlink()
    assert run(home, "-d", "7", "-np", "0") == 0
    assert (folder / "dataset_fingerprint.json").read_bytes() == first
