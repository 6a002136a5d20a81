"""Folders that are held by one process."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from disanat.errors import BusyError
from disanat.locks import Owner, hold

LOCK = ".disanat/lock"
HOLD = """
import sys, time
from pathlib import Path
from disanat.locks import hold
with hold(Path(sys.argv[1]), "training", shared=sys.argv[2] == "shared", part=sys.argv[3]):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path, how: str = "alone", part: str = "") -> subprocess.Popen[str]:
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), how, part], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    other = holder(tmp_path)
    try:
        told = (
            rf"{tmp_path} is in use by training for \d+ s, process {other.pid} on \S+ \(-c .*\): "
            "wait until it has ended, or stop it"
        )
        with pytest.raises(BusyError, match=told), hold(tmp_path, "training"):
            pass
        with pytest.raises(BusyError, match="in use"), hold(tmp_path, "reading", shared=True):
            pass
    finally:
        other.kill()
        other.wait()


def test_what_a_killed_process_held_is_taken_and_its_half_written_files_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = holder(tmp_path)
    (tmp_path / f".{other.pid}.tmp.a.nii.gz").write_text("half")
    (tmp_path / "b.nii.gz").write_text("whole")
    other.send_signal(signal.SIGKILL)
    other.wait()
    with caplog.at_level(logging.INFO), hold(tmp_path, "training"):
        assert sorted(p.name for p in tmp_path.iterdir()) == [".disanat", "b.nii.gz"]
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert "did not end well: training for " in caplog.text
    assert f" s, process {other.pid} on " in caplog.text
    assert (tmp_path / LOCK).read_text() == ""


def test_readers_share_and_keep_a_writer_out(tmp_path: Path) -> None:
    other = holder(tmp_path, "shared")
    try:
        with hold(tmp_path, "training", shared=True):
            pass
        with pytest.raises(BusyError, match="in use by"), hold(tmp_path, "preprocessing"):
            pass
    finally:
        other.kill()
        other.wait()


def test_parts_do_not_stand_in_each_others_way(tmp_path: Path) -> None:
    other = holder(tmp_path, part="0_of_2")
    try:
        with hold(tmp_path, "predicting", part="1_of_2"):
            pass
        with pytest.raises(BusyError), hold(tmp_path, "predicting", part="0_of_2"):
            pass
    finally:
        other.kill()
        other.wait()


def test_a_folder_that_is_only_read_need_not_be_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with hold(tmp_path, "training", shared=True):
        pass
    with pytest.raises(PermissionError), hold(tmp_path, "training"):
        pass


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("portalocker.lock", refuse)
    with hold(tmp_path, "training"):
        pass
    assert "without locks ([Errno 37] No locks available)" in caplog.text


def test_ages_in_words() -> None:
    long_ago = Owner("training", "disanat_train -d 5", 7, "a", "2020-01-01T00:00:00+00:00")
    assert long_ago.sentence.endswith("process 7 on a (disanat_train -d 5)")
    assert " min, " in long_ago.sentence
    assert Owner("training", "x", 7, "a", "?").sentence == "training, process 7 on a (x)"
