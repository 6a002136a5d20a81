"""Number formats of devices."""

from __future__ import annotations

import pytest
import torch

from disanat.networks.precision import calculating, native_format


def test_formats_are_known_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported, name in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda s=supported: s)
        assert native_format("cpu") == name
    network, given = torch.nn.Linear(2, 2), torch.ones(1, 2)
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with calculating(name, torch.device("cpu")):  # type: ignore[arg-type]
            assert network(given).dtype == kind
