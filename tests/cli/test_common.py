from __future__ import annotations

import argparse
import errno
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest

from disanat.cli.common import add_home_argument, run_command
from disanat.errors import DatasetError


def run(function: Callable[[argparse.Namespace], int], *argv: str) -> int:
    parser = argparse.ArgumentParser()
    add_home_argument(parser)
    return run_command(function, parser, argv)


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def function(_args: argparse.Namespace) -> int:
        raise error

    return function


def test_the_functions_value_is_the_exit_code() -> None:
    assert run(lambda args: 1 if args.home == "here" else 0, "--home", "here") == 1
    assert run(lambda args: 0 if args.home is None else 1) == 0


def test_a_users_mistake_is_one_line_and_exit_code_two(capsys: pytest.CaptureFixture) -> None:
    assert run(raising(DatasetError("x.nii.gz is broken: mend it."))) == 2
    assert capsys.readouterr().err == "error: x.nii.gz is broken: mend it.\n"


def test_ctrl_c_is_one_line_and_130(capsys: pytest.CaptureFixture) -> None:
    assert run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_a_full_disk_is_a_users_matter(capsys: pytest.CaptureFixture) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/there/a.npy")
    assert run(raising(full)) == 2
    message = capsys.readouterr().err
    assert "/there/a.npy" in message
    assert "free space" in message


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))
    with pytest.raises(OSError, match="odd"):
        run(raising(OSError(errno.EIO, "odd")))


def test_logging_goes_to_stderr_from_info_on(capsys: pytest.CaptureFixture) -> None:
    def speak(_args: argparse.Namespace) -> int:
        logging.getLogger("disanat.some.room").info("planned %d cases", 3)
        logging.getLogger("disanat.some.room").debug("detail")
        logging.getLogger("somebody.else").info("chatter")
        return 0

    assert run(speak) == 0
    assert run(speak, "--verbose") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "planned 3 cases",
        "disanat.some.room: planned 3 cases",
        "disanat.some.room: detail",
    ]


def test_an_unknown_flag_is_exit_code_two() -> None:
    with pytest.raises(SystemExit) as left:
        run(lambda _: 0, "--nonsense")
    assert left.value.code == 2


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, disanat.cli.common\n"
        "print(sorted({'torch', 'SimpleITK', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
