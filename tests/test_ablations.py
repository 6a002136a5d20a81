"""Names of ablations: parsed, checked, told from a folder's name."""

from __future__ import annotations

import pytest

from disanat.ablations import (
    ABLATIONS,
    MEANINGS,
    check_ablations,
    folder_part,
    is_ablated,
)
from disanat.errors import PlanError


def test_every_ablation_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ABLATIONS)


def test_order_and_repetition_do_not_matter() -> None:
    assert check_ablations(["soft", "no_prior", "soft"]) == ("no_prior", "soft")
    assert check_ablations([]) == ()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["sharp"], "no ablation 'sharp': give --ablate one or more of no_prior, soft"),
        (["gumbel", "soft"], "soft and gumbel contradict"),
        (["full_anatomy", "no_restoration"], "full_anatomy and no_restoration contradict"),
        (["t1_only", "no_prior", "free_contrasts"], "free_contrasts and t1_only contradict"),
        (["no_intensity", "atlas_phi"], "atlas_phi and no_intensity contradict"),
    ],
)
def test_unknown_and_contradicting_names_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        check_ablations(names)


def test_folders_of_ablated_trainings_are_told_from_others() -> None:
    part = folder_part(check_ablations(["soft", "no_prior"]))
    assert is_ablated(f"dal__2d__{part}") and is_ablated("dal__fine__3d_fullres__t1_only")
    assert not any(map(is_ablated, ("dal__2d", "dal__fine__2d", "threshold__2d", "dal__2d_rung1")))
