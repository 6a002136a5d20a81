"""What an archive of a model holds is checked: its manifest, its description, its weights."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from archive_files import Change, Content, pack, refused, with_hashes

from disanat.networks.shared_weights import SharedWeights, load_shared, save_shared


def manifest_with(**changes: Any) -> Change:
    def change(content: Content) -> None:
        data = json.loads(content["manifest.json"]) | changes
        content["manifest.json"] = json.dumps(data).encode()

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (manifest_with(schema_version=0), "schema version 0, but this disanat reads 1: export"),
        (manifest_with(schema_version=2), "schema version 2, but this disanat reads 1"),
        (manifest_with(author="\x1b]0;x\x07"), "manifest.json in .* is damaged .*one short line"),
        (manifest_with(author=None), "is damaged"),
        (manifest_with(files=[]), "is damaged"),
        (manifest_with(files={}), "do not hold the same files"),
        (manifest_with(files={"model.json": {"size": "1", "sha256": 2}}), "is damaged"),
        (lambda c: c.update({"manifest.json": b"{"}), "is damaged"),
        (lambda c: c.update({"manifest.json": b"[" * 50_000}), "x.zip"),
        (lambda c: c.update({"manifest.json": b"\xff"}), "is damaged"),
    ],
)
def test_a_manifest_that_is_not_right(
    content: Content, tmp_path: Path, change: Change, words: str
) -> None:
    change(content)
    refused(pack(content, tmp_path / "x.zip"), words)


def described(*path: str, value: Any) -> Change:
    def change(content: Content) -> None:
        data = json.loads(content["model.json"])
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        content["model.json"] = json.dumps(data).encode()

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (described("members", value={"../../fold_0": ""}), r"damaged model.json \(an ensemble\)"),
        (described("plans", "dataset", value="../../elsewhere"), "the name '../../elsewhere'"),
        (described("method", value="\x1b[2J"), "damaged model.json .the name"),
        (described("facts", "note", value="\x1b[2J"), "damaged model.json .the text"),
        (described("schema_version", value=0), "schema version 0"),
        (described("method", value="gan"), "There is no method 'gan'"),
        (described("configuration", "decoder_features", value=9), "do not fit model.json"),
        (
            described("configuration", "encoder", "features", value=[10**6] * 3),
            "no model that can be loaded",
        ),
        (described("calibration", "threshold", value=float("nan")), "threshold is nan"),
        (described("calibration", "threshold", value="high"), "no model that can be loaded"),
        (described("calibration", value=[]), "no model that can be loaded"),
        (lambda c: c.update({"model.json": b"[]"}), "damaged model.json"),
        (lambda c: c.update({"model.json": b"[" * 50_000 + random.Random(0).randbytes(999)}), "x"),
        (lambda c: c.update({"weights.safetensors": b"PK" * 99}), "weights.safetensors is damaged"),
    ],
)
def test_a_model_that_is_not_right(
    content: Content, tmp_path: Path, change: Change, words: str
) -> None:
    change(content)
    refused(pack(with_hashes(content), tmp_path / "x.zip"), words)


def test_weights_that_are_no_numbers_are_refused(content: Content, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content[path.name])
    tensors = load_shared(path, torch.device("cpu")).tensors
    next(iter(tensors.values())).view(-1)[0] = float("inf")
    save_shared(SharedWeights(tensors), path)
    changed = with_hashes(content | {path.name: path.read_bytes()})
    refused(pack(changed, tmp_path / "x.zip"), "some weights are no numbers")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_bytes_of_no_file_are_refused(exported: Path, tmp_path: Path, share: float) -> None:
    data = exported.read_bytes()
    at = int(share * len(data))
    path = tmp_path / "x.zip"
    path.write_bytes(data[:at] + b"some more" + data[at:])
    refused(path, r"holds bytes that belong to none of its files|is no whole zip archive")
