"""What the package's own sources must not do: run what they read, use a shell, or a network."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for package in ("disanat", "planning", "dataset_conversion")
    for path in (ROOT / package).rglob("*.py")
)
NEVER_IMPORTED = {
    "aiohttp", "asyncio", "ctypes", "dill", "ftplib", "http", "httpx", "joblib", "marshal",
    "pickle", "requests", "shelve", "smtplib", "socket", "socketserver", "ssl", "telnetlib",
    "urllib", "urllib3", "webbrowser", "xmlrpc",
}  # fmt: skip
NEVER_CALLED = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.spawnv",
    "subprocess.getoutput", "subprocess.getstatusoutput", "pickle.load", "pickle.loads",
    "torch.hub.load", "torch.jit.load", "torch.compile", "yaml.load",
}  # fmt: skip
NEVER_METHODS = {
    "extractall", "unpack_archive", "urlopen", "urlretrieve", "load_state_dict_from_url",
}  # fmt: skip


def dotted(node: ast.expr) -> str:
    """`os.system` for the expression os.system."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_set(call: ast.Call, name: str, value: bool) -> bool:
    found = [k.value for k in call.keywords if k.arg == name]
    return bool(found) and isinstance(found[0], ast.Constant) and found[0].value is value


def mistakes_of_call(call: ast.Call) -> Iterator[str]:
    name = dotted(call.func)
    if name in NEVER_CALLED or name.rpartition(".")[2] in NEVER_METHODS:
        yield name
    keywords = {k.arg for k in call.keywords}
    if "shell" in keywords and not is_set(call, "shell", False):
        yield f"{name} with a shell"
    if "allow_pickle" in keywords and not is_set(call, "allow_pickle", False):
        yield f"{name} with allow_pickle"
    if name == "torch.load" and not is_set(call, "weights_only", True):
        yield "torch.load without weights_only"
    if name.startswith("nilearn.") or name.startswith("datasets.fetch_"):
        yield f"{name} downloads"


def mistakes(source: str) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        found += [n for n in imported(node) if n.split(".")[0] in NEVER_IMPORTED]
        found += [n for n in imported(node) if n in NEVER_CALLED]
        if isinstance(node, ast.Call):
            found += mistakes_of_call(node)
    return found


def test_there_are_sources() -> None:
    assert len(SOURCES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_executed_or_fetched(path: Path) -> None:
    assert mistakes(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "import os\nos.system('ls')",
        "from os import system",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=anything)",
        "import pickle",
        "from pickle import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "import urllib.request",
        "from http import client",
        "def f():\n    import requests",
        "archive.extractall(target)",
        "datasets.fetch_atlas_aal()",
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert mistakes(source)


@pytest.mark.parametrize(
    "source",
    ["torch.load(p, weights_only=True)", "np.load(p)", "re.compile('x')", "model.eval()"]
    + ["datasets.load_mni152_template()", "subprocess.run(['ls'])", "from .http import x"],
)
def test_the_search_lets_pass_what_is_harmless(source: str) -> None:
    assert mistakes(source) == []
