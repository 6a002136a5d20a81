"""Each ablation of `dal` changes what its name says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disanat.methods.dal.ablation import Steps
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.interface import ChannelResult, PreparedChannel
from disanat.plans import Plans, load_json
from disanat.preprocessing.normalisation import OUTSIDE

SPACING = (4.0, 4.0, 4.0)


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    return load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)


def without(plans: Plans, *names: Any) -> DisentangledAnatomy:
    torch.manual_seed(0)
    method = DisentangledAnatomy(plans, replace(plans.configuration("2d"), ablations=names))
    torch.nn.init.normal_(method.decoder.last.weight)
    return method


def batch(plans: Plans, ill: tuple[int, ...] = ()) -> dict[str, torch.Tensor]:
    """Two brains in two contrasts; the items `ill` hold a lesion."""
    generator = torch.Generator().manual_seed(0)
    classes = len(plans.classes)
    labels = torch.zeros(4, 24, 24, dtype=torch.int64)
    labels[:, 4:20, 4:20], labels[:, 8:16, 8:16] = 1, classes
    lesion = torch.zeros(4, 24, 24)
    lesion[list(ill), 10:12, 10:12] = 1
    seen = 2 * plans.configuration("2d").context_slices + 1
    return {
        "image": torch.randn(4, seen, 24, 24, generator=generator),
        "labels": labels,
        "lesion": lesion,
        "healthy": torch.randn(4, 1, 24, 24, generator=generator),
        "theta": torch.randn(4, classes, generator=generator),
    }


def given_to_the_restorer(
    method: DisentangledAnatomy, plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    forward = method.restorer.forward
    monkeypatch.setattr(method.restorer, "forward", lambda e: seen.append(e) or forward(e))
    method.losses(batch(plans))
    return seen[0].detach()


def gradient(network: torch.nn.Module) -> float:
    parts = [p.grad.abs().sum() for p in network.parameters() if p.grad is not None]
    return float(sum(parts))


def test_full_anatomy_is_given_in_place_of_its_edges(
    plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = given_to_the_restorer(without(plans), plans, monkeypatch)
    whole = given_to_the_restorer(without(plans, "full_anatomy"), plans, monkeypatch)
    assert (whole.sum(1) == 1).all() and not (edges.sum(1) == 1).all()


def test_soft_gives_probabilities_and_gumbel_a_random_onehot(plans: Plans) -> None:
    logits = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    usual = Steps((), 1).discrete(logits)
    torch.testing.assert_close(Steps(("soft",), 1).discrete(logits), logits.softmax(1))
    gumbel = Steps(("gumbel",), 1)
    torch.testing.assert_close(gumbel.discrete(logits), usual)
    torch.manual_seed(0)
    first, second = (gumbel.discrete(logits, drawn=True) for _ in range(2))
    for drawn in (first, second):
        torch.testing.assert_close(drawn.max(1).values, torch.ones(2, 6, 6))
        torch.testing.assert_close(drawn.sum(1), torch.ones(2, 6, 6))
    assert not torch.equal(first.argmax(1), second.argmax(1))


def test_no_prior_learns_nothing_from_the_tissues_of_label_maps(plans: Plans) -> None:
    method, given = without(plans, "no_prior"), batch(plans)
    losses = method.losses(given)
    assert "anatomy" not in losses and "restoration" in losses
    shuffled = given | {"labels": (given["labels"] > 0).long() * 2}
    for name, value in method.losses(shuffled).items():
        torch.testing.assert_close(value, losses[name])
    usual = without(plans)
    losses = [usual.losses(one)["anatomy"].detach() for one in (given, shuffled)]
    assert not torch.equal(*losses)


def test_no_restoration_takes_the_anatomy_as_seen(plans: Plans) -> None:
    method = without(plans, "no_restoration")
    assert set(method.networks()) == {"encoder", "decoder", "comparator"}
    assert "restoration" not in method.losses(batch(plans))
    seen = np.random.default_rng(0).dirichlet(np.ones(len(plans.classes) + 1), (3, 4, 5))
    seen = np.moveaxis(seen, -1, 0)
    np.testing.assert_allclose(method.restore(seen), seen, atol=1e-5)


def test_samples_with_a_lesion_do_not_teach_the_restoration(plans: Plans) -> None:
    for names, taught in (((), True), (("no_anomaly_training",), False)):
        method = without(plans, *names)
        losses = method.losses(batch(plans, ill=(0, 1, 2, 3)))
        assert (losses["restoration"].item() > 0) == taught
        torch.stack(list(losses.values())).sum().backward()
        assert (gradient(method.restorer) > 0) == taught
        assert gradient(method.encoder) > 0 and gradient(method.decoder) > 0
    some = without(plans, "no_anomaly_training")
    mixed = some.losses(batch(plans, ill=(0, 1)))["restoration"]
    changed = batch(plans, ill=(0, 1))
    changed["labels"][:2] = changed["labels"][:2].flip(1).clamp_max(1)
    torch.testing.assert_close(some.losses(changed)["restoration"], mixed)
    mixed.backward()
    assert gradient(some.restorer) > 0


def test_no_imaging_code_paints_every_contrast_alike(plans: Plans) -> None:
    for names, alike in (((), False), (("no_imaging_code",), True)):
        method, given = without(plans, *names), batch(plans)
        anatomy = torch.nn.functional.one_hot(given["labels"], len(plans.classes) + 1)
        anatomy = anatomy.movedim(-1, 1).float()
        first = method._painted(anatomy, given)
        second = method._painted(anatomy, given | {"theta": given["theta"] + 1})
        assert torch.equal(first, second) == alike


def scan(miniature: Any, curve: Any = lambda x: x) -> PreparedChannel:
    drawn = miniature.brain(3, lesion=True)
    inside = drawn.labels > 0
    image = curve((drawn.image - drawn.image[inside].mean()) / drawn.image[inside].std())
    shown = np.where(inside, image, OUTSIDE).astype(np.float32)
    return PreparedChannel(shown, inside, SPACING, shown, inside, SPACING)


def predicted(
    method: DisentangledAnatomy, channel: PreparedChannel, logits: np.ndarray
) -> ChannelResult:
    """Predict with an anatomy that does not depend on the scan."""
    method.networks().eval()
    volume = method._volume

    def fixed(network: Any, *args: Any, **how: Any) -> torch.Tensor:
        if network is method.encoder:
            return torch.from_numpy(np.concatenate([logits, logits[:1]]))
        return volume(network, *args, **how)

    method._volume = fixed  # type: ignore[method-assign]
    [result] = method.predict([channel])
    return result


def test_without_intensities_the_score_follows_the_anatomy_alone(
    plans: Plans, miniature: Any
) -> None:
    rng = np.random.default_rng(0)
    channel, other = scan(miniature), scan(miniature, lambda x: x + 0.2 * x**3)
    logits = rng.normal(size=(len(plans.classes) + 1, *channel.image.shape)).astype(np.float32)
    for names, same in (((), False), (("no_intensity",), True)):
        first, second = (
            predicted(without(plans, *names), one, logits) for one in (channel, other)
        )
        said = [one.joined({"comparator": 1.0, "residual": 1.0}) for one in (first, second)]
        assert np.array_equal(*said) == same
        assert bool(first.further) != same
    elsewhere = predicted(without(plans, "no_intensity"), channel, logits[::-1].copy())
    assert not np.array_equal(elsewhere.score, first.score)


def test_plain_residual_is_largest_where_scan_and_phi_differ_most(
    plans: Plans, miniature: Any
) -> None:
    channel = scan(miniature)
    logits = np.zeros((len(plans.classes) + 1, *channel.image.shape), np.float32)
    result = predicted(without(plans, "plain_residual"), channel, logits)
    brain = channel.native_brain
    distance = np.abs(channel.native - result.phi)
    assert not result.further
    assert np.corrcoef(result.score[brain], distance[brain])[0, 1] > 0.7


def test_atlas_phi_is_the_same_whatever_the_networks_say(plans: Plans, miniature: Any) -> None:
    channel = scan(miniature)
    rng = np.random.default_rng(0)
    shape = (len(plans.classes) + 1, *channel.image.shape)
    results = [
        predicted(without(plans, "atlas_phi"), channel, rng.normal(size=shape).astype(np.float32))
        for _ in range(2)
    ]
    # The registration's threads sum in any order.
    np.testing.assert_allclose(results[0].phi, results[1].phi, atol=0.01)
    np.testing.assert_allclose(results[0].score, results[1].score, atol=0.01)
    inside = channel.native_brain
    # The template is 0 beyond its own brain, where the darkest values become one.
    middle = np.linspace(0.1, 0.9, 9)
    np.testing.assert_allclose(
        np.quantile(results[0].phi[inside], middle),
        np.quantile(channel.native[inside], middle),
        atol=0.1,
    )
    assert not results[0].further
