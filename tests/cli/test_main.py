"""The umbrella `disanat`, how quick `--help` is, and completion in the shell."""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from disanat import __version__
from disanat.cli import main as umbrella

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = dict(
    re.findall(r'"(disanat(?:_\w+)?)": "([\w.]+:main)"', (ROOT / "setup.py").read_text())
)
POINTS = {
    name.removeprefix("disanat_"): EntryPoint(name, target, "console_scripts")
    for name, target in sorted(COMMANDS.items())
    if name != "disanat"
}
MODULES = sorted({target.split(":")[0] for target in COMMANDS.values()})


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of setup.py, whatever is installed here."""
    monkeypatch.setattr(umbrella, "installed_commands", lambda: POINTS)


def test_there_are_commands() -> None:
    assert len(POINTS) >= 10 and "disanat" in COMMANDS


def test_what_is_installed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = umbrella.installed_commands()
    assert {"predict", "train", "plan_and_preprocess"} <= set(found)
    assert found["predict"].value == "disanat.cli.predict:main"


@pytest.mark.parametrize("name", POINTS)
def test_every_command_says_in_one_line_what_it_does(name: str) -> None:
    said = umbrella.description(POINTS[name])
    assert 10 < len(said) < 100 and "`" not in said and said[0].islower()
    assert f"{name} " in umbrella.build_parser().format_help() and said in (
        umbrella.build_parser().format_help()
    )


def test_a_command_of_another_package_is_listed_and_one_that_is_broken_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "others_own.py").write_text('"""`disanat_own`: does its own.\n\nMore."""\n1 / 0\n')
    monkeypatch.syspath_prepend(tmp_path)
    own = EntryPoint("disanat_own", "others_own:main", "console_scripts")
    gone = EntryPoint("disanat_gone", "not.there.at.all:main", "console_scripts")
    text = umbrella.build_parser({"own": own, "gone": gone}).format_help()
    assert "own   does its own\n" in text and "  gone" in text


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert umbrella.main(words) == 0
    except SystemExit as left:
        assert left.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in POINTS)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        umbrella.main(["--version"])
    assert left.value.code == 0 and capsys.readouterr().out == f"disanat {__version__}\n"
    assert f'version="{__version__}"' in (ROOT / "setup.py").read_text()


@pytest.mark.parametrize("word", ["models", "disanat_models"])
def test_a_command_is_run_with_the_words_after_it(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert umbrella.main([word, "--json", "--home", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_its_exit_code_is_kept(tmp_path: Path) -> None:
    assert umbrella.main(["evaluate", "-i", str(tmp_path / "no"), "-l", str(tmp_path)]) == 2
    assert umbrella.main(["plan-and-preprocess", "-d", "5", "--home", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    "wrong, hint",
    [
        ("predcit", "did you mean predict?"),
        ("plan", "did you mean plan_and_preprocess?"),
        ("export", "did you mean export_model?"),
        ("Train", "did you mean train?"),
        ("xyz", "use one of audit, "),
    ],
)
def test_a_wrong_name_suggests_the_nearest(
    wrong: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert umbrella.main([wrong]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: There is no command '{wrong}'") and hint in err


def run(code: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_help_answers_at_once_and_without_torch(module: str) -> None:
    """In time of the processor, best of three: what else runs can only make it slower."""
    code = (
        f"import sys, {module} as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', sorted({'torch', 'pydicom', 'nibabel'} & set(sys.modules)))"
    )
    seconds = []
    while not seconds or (min(seconds) >= 1.0 and len(seconds) < 3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = run(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert out.startswith("usage: disanat") and out.rstrip().endswith("LOADED []")
    assert min(seconds) < 1.0


@pytest.mark.parametrize("module", MODULES)
def test_every_command_has_a_parser_to_ask(module: str) -> None:
    """What the documentation and completion are made from."""
    assert importlib.import_module(module).build_parser().prog.startswith("disanat")


def completed(line: str, module: str, tmp_path: Path) -> set[str]:
    """What a shell is offered at the end of the line."""
    pytest.importorskip("argcomplete")
    told = tmp_path / "told"
    points = {name: point.value for name, point in POINTS.items()}
    run(
        "from importlib.metadata import EntryPoint\n"
        "import disanat.cli.main as u\n"
        f"u.installed_commands = lambda: {{k: EntryPoint('disanat_' + k, v, 'console_scripts') "
        f"for k, v in {points!r}.items()}}\n"
        f"import {module} as c\nc.main()",
        _ARGCOMPLETE="1",
        _ARGCOMPLETE_IFS="\v",
        _ARGCOMPLETE_STDOUT_FILENAME=str(told),
        COMP_LINE=line,
        COMP_POINT=str(len(line)),
    )
    return {word.strip() for word in told.read_text().split("\v")}


@pytest.mark.parametrize(
    "line, module, offered",
    [
        ("disanat_predict --thr", "disanat.cli.predict", {"--threshold"}),
        ("disanat_predict --device ", "disanat.cli.predict", {"cpu", "cuda"}),
        ("disanat_train --re", "disanat.cli.train", {"--resume", "--restart"}),
        ("disanat pre", "disanat.cli.main", {"predict"}),
        ("disanat predict --thr", "disanat.cli.main", {"--threshold"}),
        ("disanat predict --save ", "disanat.cli.main", {"phi", "anatomy", "edges"}),
    ],
)
def test_completion(line: str, module: str, offered: set[str], tmp_path: Path) -> None:
    assert offered <= completed(line, module, tmp_path)


def test_completion_of_the_umbrella_lists_the_commands(tmp_path: Path) -> None:
    assert set(POINTS) <= completed("disanat ", "disanat.cli.main", tmp_path)
