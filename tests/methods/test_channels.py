"""The networks of `dal` go on as they were when their classes are split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from solid_plans import in_3d

from disanat.methods.dal.method import DisentangledAnatomy
from disanat.networks.inherit import inherited
from disanat.plans import Plans, load_json
from disanat.tissues import EIGHT_CLASSES, TWELVE_CLASSES, whole_numbers


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
def test_twelve_classes_start_where_eight_ended(planned_home: Path, configuration: str) -> None:
    folder = planned_home / "preprocessed" / "Dataset005_Mini"
    plans = load_json(folder / "plans.json", Plans)
    chosen = plans.configuration("2d")
    if configuration == "3d_fullres":
        chosen = in_3d(chosen)
    torch.manual_seed(0)
    old, new = (
        DisentangledAnatomy(replace(plans, classes=tuple(c.name for c in scheme)), chosen)
        for scheme in (EIGHT_CLASSES, TWELVE_CLASSES)
    )
    torch.nn.init.normal_(old.decoder.last.weight)
    part_of = {c.name: c.part_of for c in TWELVE_CLASSES if c.part_of}
    state = inherited(
        new.networks().state_dict(),
        old.networks().state_dict(),
        new.class_channels(),
        old.class_channels(),
        part_of,
    )
    new.networks().load_state_dict(state)
    old.networks().eval(), new.networks().eval()
    whole = torch.from_numpy(whole_numbers(TWELVE_CLASSES).astype(int))

    def joined(parts: torch.Tensor) -> torch.Tensor:
        shape = (len(parts), 9, *parts.shape[2:])
        return torch.zeros(shape).index_add(1, whole, parts)

    shape = (16,) * chosen.dimension
    image = torch.randn(2, old.slices, *shape)
    parts = torch.rand(2, 13, *shape)
    parts = parts / parts.sum(1, keepdim=True)
    with torch.no_grad():
        for before, after in (
            (old.encoder(image)[:, :-1], new.encoder(image)[:, :-1]),
            (old.restorer(joined(parts)), new.restorer(parts)),
        ):
            torch.testing.assert_close(joined(after.softmax(1)), before.softmax(1))
        painted = torch.randn(2, 1, *shape)
        torch.testing.assert_close(
            new.comparator(torch.cat([image, painted, parts, parts], 1)),
            old.comparator(torch.cat([image, painted, joined(parts), joined(parts)], 1)),
            rtol=1e-4,
            atol=1e-4,
        )
        theta = torch.randn(2, 8)
        split = torch.cat([theta, theta[:, whole[9:] - 1]], 1)
        torch.testing.assert_close(
            new.decoder(parts, split, -4.0),
            old.decoder(joined(parts), theta, -4.0),
            rtol=1e-4,
            atol=1e-4,
        )
