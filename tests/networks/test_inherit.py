"""Weights handed on to networks with other classes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from disanat.errors import ModelError
from disanat.networks.inherit import Channels, inherited

OLD, NEW = ("air", "grey", "white"), ("air", "white", "grey", "light")
PART_OF = {"light": "grey"}
WHOLE = torch.tensor([0, 2, 1, 1])
"""Which of the old channels each of the new ones belongs to."""


def hand_on(new: nn.Module, old: nn.Module, **settings: object) -> None:
    def channels(names: tuple[str, ...]) -> list[Channels]:
        named = {k: tuple(f"seen {n}" for n in names) for k, v in settings.items() if v == "names"}
        plain = {k: v for k, v in settings.items() if v != "names"}
        return [Channels("weight|bias", **named, **plain)]  # type: ignore[arg-type]

    state = inherited(new.state_dict(), old.state_dict(), channels(NEW), channels(OLD), PART_OF)
    new.load_state_dict(state)


def test_parts_of_a_class_share_its_probability() -> None:
    torch.manual_seed(0)
    old, new = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 4, 3)
    hand_on(new, old, outputs="names", logits=True)
    image = torch.randn(2, 2, 9, 9)
    before, after = old(image).softmax(1), new(image).softmax(1)
    torch.testing.assert_close(torch.zeros_like(before).index_add(1, WHOLE, after), before)
    torch.testing.assert_close(after[:, 2], after[:, 3])


def test_a_part_is_read_like_the_class_it_was_part_of() -> None:
    torch.manual_seed(0)
    old, new = nn.Conv2d(3, 2, 3), nn.Conv2d(4, 2, 3)
    hand_on(new, old, inputs="names")
    parts = torch.rand(2, 4, 9, 9)
    wholes = torch.zeros(2, 3, 9, 9).index_add(1, WHOLE, parts)
    torch.testing.assert_close(new(parts), old(wholes))


def test_inputs_that_are_no_shares_of_a_voxel_start_at_zero_in_the_parts() -> None:
    torch.manual_seed(0)
    old, new = nn.Linear(3, 5), nn.Linear(4, 5)
    hand_on(new, old, inputs="names", shared=False)
    given = torch.randn(6, 4)
    torch.testing.assert_close(new(given), old(given[:, [0, 2, 1]]))


def test_what_does_not_fit_is_named() -> None:
    old, new = nn.Linear(3, 2), nn.Linear(4, 2)
    with pytest.raises(ModelError, match=r"their layer weight has shape \(2, 3\), not \(2, 4\)"):
        inherited(new.state_dict(), old.state_dict(), (), (), {})
    with pytest.raises(ModelError, match="they have no layer bias"):
        inherited(new.state_dict(), {"weight": new.weight}, (), (), {})
    fluid = [Channels("weight", inputs=("fluid",) * 4)]
    with pytest.raises(ModelError, match="they know nothing of fluid"):
        inherited(
            new.state_dict(), old.state_dict(), fluid, [Channels("weight", inputs=OLD)], PART_OF
        )
