"""What every refusal must be: one sentence that names a file and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from disanat.errors import DisanatError


def check_sentence(message: str, *names: str) -> None:
    assert "\n" not in message and message.endswith("."), message
    assert ": " in message, message
    assert any(name in message for name in names), (message, names)


def refusal(read: Callable[..., Any], path: Path, *more: Any) -> str:
    """The sentence by which `path` is refused."""
    with pytest.raises(DisanatError) as caught:
        read(path, *more)
    check_sentence(str(caught.value), path.name)
    return str(caught.value)
