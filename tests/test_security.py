"""What the sources may not do, and what results may not give away."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    path
    for room in ("disanat", "planning", "dataset_conversion")
    for path in sorted((ROOT / room).rglob("*.py"))
]
NETWORK = {"socket", "urllib", "requests", "http", "ftplib", "smtplib", "asyncio", "httpx"}
RUNS_CODE = {"eval", "exec", "compile", "__import__"}
UNPICKLES = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
SECRET = "SECRET^NAME"


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(tree: ast.AST) -> set[str]:
    """First parts of the names of all imported modules."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def given(call: ast.Call, name: str) -> Any:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_executed_unpickled_or_fetched(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not imported(tree) & (NETWORK | UNPICKLES)
    for name, call in calls(tree):
        assert name not in RUNS_CODE, f"line {call.lineno}"
        assert name not in ("os.system", "os.popen"), f"line {call.lineno}"
        assert given(call, "shell") in (None, "False"), f"line {call.lineno}"
        assert given(call, "allow_pickle") in (None, "False"), f"line {call.lineno}"
        if name == "torch.load":
            assert given(call, "weights_only") == "True", f"line {call.lineno}"
        assert not name.endswith(("extractall", "fetch_atlas", "load_url")), f"line {call.lineno}"


def test_the_walk_sees_what_it_forbids() -> None:
    tree = ast.parse("import urllib.request\ntorch.load('x')\neval('1')\nrun('x', shell=True)")
    assert imported(tree) & NETWORK
    assert [name for name, _ in calls(tree)] == ["torch.load", "eval", "run"]
    assert [given(call, "shell") for _, call in calls(tree)] == [None, None, "True"]


def written_text(folder: Path) -> bytes:
    """All bytes of all files, images unpacked."""
    found = b""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += nibabel.openers.Opener(path).read() if path.suffix == ".gz" else data
    return found


@pytest.fixture
def telling_scans(miniature: Any, tmp_path: Path) -> Path:
    """A NIfTI file and a DICOM series whose headers tell more than they should."""
    brain = miniature.brain(5)
    scans = tmp_path / "in"
    miniature.write(tmp_path / "plain.nii.gz", brain.image)
    image: Any = nibabel.load(tmp_path / "plain.nii.gz")
    header = image.header
    for name, size in (("descrip", 80), ("aux_file", 24), ("intent_name", 16), ("db_name", 18)):
        header[name] = SECRET[:size].encode()
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", SECRET.encode()))
    scans.mkdir()
    telling = nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine, header)
    nibabel.save(telling, scans / "a.nii.gz")
    series = scans / "b"
    series.mkdir()
    volume = sitk.Cast(sitk.ReadImage(str(tmp_path / "plain.nii.gz")), sitk.sitkInt16)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(volume.GetSize()[2]):
        part = volume[:, :, k]
        place = volume.TransformIndexToPhysicalPoint((0, 0, k))
        cosines = [volume.GetDirection()[i] for i in (0, 3, 6, 1, 4, 7)]
        for tag, value in {
            "0010|0010": SECRET,
            "0010|0020": SECRET,
            "0008|0060": "MR",
            "0020|000d": "1.2.3.1",
            "0020|000e": "1.2.3.2",
            "0020|0013": str(k),
            "0020|0032": "\\".join(f"{x:.6f}" for x in place),
            "0020|0037": "\\".join(f"{x:.6f}" for x in cosines),
        }.items():
            part.SetMetaData(tag, value)
        writer.SetFileName(str(series / f"{k:03d}.dcm"))
        writer.Execute(part)
    assert SECRET.encode() in (series / "000.dcm").read_bytes()
    return scans


def test_no_word_of_a_header_reaches_results_or_log(
    trained_home: Path,
    telling_scans: Path,
    miniature: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    flags = ("--home", trained_home, "--device", "cpu", "--save", "phi", "anatomy", "edges")
    with caplog.at_level(logging.DEBUG):
        code = miniature.run(
            "predict", "-m", "threshold", "-i", telling_scans, "-o", out, *flags, "--verbose"
        )  # fmt: skip
    assert code == 0, caplog.text
    told = capsys.readouterr()
    assert (out / "a.nii.gz").exists() and (out / "b.nii.gz").exists()
    assert b"SECRET" in written_text(telling_scans)
    assert b"SECRET" not in written_text(out)
    assert "SECRET" not in caplog.text + told.out + told.err
