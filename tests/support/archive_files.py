"""Archives of models, packed anew from changed content, and what being refused means."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from disanat.errors import ModelError
from disanat.inference.archive import read_archive
from disanat.inference.manifest import FileEntry

FILES = ["manifest.json", "README.md", "model.json", "weights.safetensors"]
Content = dict[str, bytes]
Change = Callable[[Content], None]


def pack(content: Mapping[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def with_hashes(content: Content) -> Content:
    """The same with a manifest that fits."""
    manifest = json.loads(content["manifest.json"])
    manifest["files"] = {
        name: vars(FileEntry.of(data)) for name, data in content.items() if name != "manifest.json"
    }
    return content | {"manifest.json": json.dumps(manifest).encode()}


def refused(path: Path, words: str) -> None:
    """It is refused, in one sentence with the file's name, and leaves nothing behind."""
    target = path.parent / "models" / "new"
    with pytest.raises(ModelError, match=words) as caught:
        read_archive(path, target)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert not target.exists() and not list(path.parent.glob("models/.*"))
    assert not (path.parent / "evil").exists() and not Path("/tmp/disanat_evil").exists()
