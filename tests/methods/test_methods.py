"""Methods: registry, baseline, and properties of dal that hold at any constants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from disanat.errors import ModelError
from disanat.methods.dal import losses
from disanat.methods.dal.method import DisentangledAnatomy
from disanat.methods.interface import PreparedChannel
from disanat.methods.registry import get_method, method_names
from disanat.methods.threshold import IntensityThreshold
from disanat.plans import Plans, load_json
from disanat.preprocessing.normalisation import OUTSIDE
from disanat.scoring.intensity import Imaging, fit_imaging, with_sulci
from disanat.tissues import TWELVE_CLASSES

SPACING = (4.0, 4.0, 4.0)


@pytest.fixture
def plans(planned_home: Path) -> Plans:
    return load_json(planned_home / "preprocessed" / "Dataset005_Mini" / "plans.json", Plans)


def channel(image: np.ndarray, brain: np.ndarray) -> PreparedChannel:
    shown = np.where(brain, image, OUTSIDE).astype(np.float32)
    return PreparedChannel(shown, brain, SPACING, shown, brain, SPACING)


def test_registry() -> None:
    assert method_names()[:2] == ("dal", "threshold")
    assert get_method("dal") is DisentangledAnatomy
    with pytest.raises(ModelError, match="no method 'gan': use one of dal, threshold"):
        get_method("gan")


def test_threshold_scores_by_rank_within_the_brain(plans: Plans) -> None:
    rng = np.random.default_rng(0)
    image, brain = rng.normal(size=(8, 9, 10)), np.zeros((8, 9, 10), bool)
    brain[2:6, 2:7, 2:8] = True
    method = IntensityThreshold(plans, plans.configuration("2d"))
    [result] = method.predict([channel(image, brain)])
    order = np.argsort(image[brain])
    np.testing.assert_allclose(result.score[brain][order], np.arange(120) / 120, atol=1e-6)
    assert (result.phi[brain] == np.float32(np.median(image[brain].astype(np.float32)))).all()
    [curved] = method.predict([channel(np.exp(image), brain)])
    np.testing.assert_array_equal(curved.score[brain], result.score[brain])


def batch(plans: Plans, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (2, 1, 16, 16), generator=generator).repeat(1, 2, 1, 1)
    labels = labels.flatten(0, 1)
    seen = 2 * plans.configuration("2d").context_slices + 1
    return {
        "image": torch.randn(4, seen, 16, 16, generator=generator),
        "labels": labels,
        "lesion": (torch.rand(4, 16, 16, generator=generator) < 0.1).float(),
        "healthy": torch.randn(4, 1, 16, 16, generator=generator),
        "theta": torch.randn(4, 3, generator=generator),
    }


def test_losses_reach_every_network_and_fall(plans: Plans) -> None:
    torch.manual_seed(0)
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    networks, given = method.networks(), batch(plans)
    optimiser = torch.optim.AdamW(networks.parameters(), 3e-3)
    totals = []
    for step in range(15):
        total = torch.stack(list(method.losses(given).values())).sum()
        optimiser.zero_grad()
        total.backward()
        if step == 1:  # at step 0 the decoder's last layer is 0 and passes nothing on
            for name, network in networks.items():
                parts = [p.grad.abs().sum() for p in network.parameters() if p.grad is not None]
                assert float(torch.stack(parts).sum()) > 0, name
        optimiser.step()
        totals.append(total.item())
    assert totals[-1] < 0.9 * totals[0]
    with torch.no_grad():
        figures = method.validate(given)
    assert {"error", "dice_anatomy", "dice_restored"} <= set(figures)
    assert all(np.isfinite(v) for v in figures.values())


def test_what_a_mask_took_in_beyond_the_brain_counts_as_no_lesion(
    plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def spy(logit: torch.Tensor, mask: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        counted.append(where)
        return losses.lesion_loss(logit, mask, where)

    monkeypatch.setattr("disanat.methods.dal.method.lesion_loss", spy)
    method, given = DisentangledAnatomy(plans, plans.configuration("2d")), batch(plans)
    given["labels"][:, :, 8:] = 0
    given["image"][:, :, :, 12:] = OUTSIDE
    method.losses(given)
    assert len(counted) == 2
    for where in counted:
        assert where[:, :, 8:12].all() and not where[:, :, 12:].any()
        assert where[given["labels"] > 0].all()


def test_the_painting_gradient_passes_the_onehot_into_the_encoder(plans: Plans) -> None:
    torch.manual_seed(0)
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    torch.nn.init.normal_(method.decoder.last.weight)
    method.losses(batch(plans))["painting"].backward()
    for network in (method.encoder, method.restorer, method.decoder):
        parts = [p.grad.abs().sum() for p in network.parameters() if p.grad is not None]
        assert float(torch.stack(parts).sum()) > 0


def test_only_edges_reach_the_restoration(plans: Plans, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the restorer gets is 0 deep inside every region."""
    torch.manual_seed(0)
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    logits = torch.zeros(4, 16, 16)
    logits[0], logits[3, 3:13, 3:13] = 1.0, 5.0
    seen = []
    body = method.restorer.forward
    monkeypatch.setattr(method.restorer, "forward", lambda e: seen.append(e) or body(e))
    method._restore(logits[:, None].repeat(1, 3, 1, 1))
    inside = method.edge_width + 3
    assert seen and all(not e[..., inside:-inside, inside:-inside].any() for e in seen)
    assert all(bool(e[:, 3].any()) for e in seen)


def test_prediction_has_the_native_shape_and_channels_share_one_anatomy(plans: Plans) -> None:
    torch.manual_seed(0)
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    method.networks().eval()
    rng = np.random.default_rng(0)
    brain = np.zeros((10, 16, 20), bool)
    brain[2:8, 2:14, 2:18] = True
    native_brain = brain.repeat(2, 0)
    parts = []
    for _ in range(2):
        image = np.where(brain, rng.normal(size=brain.shape), OUTSIDE).astype(np.float32)
        parts.append(
            PreparedChannel(
                image, brain, SPACING, image.repeat(2, 0), native_brain, (2.0, 4.0, 4.0)
            )
        )
    results = method.predict(parts)
    for result in results:
        assert result.score.shape == result.phi.shape == native_brain.shape
        assert np.isfinite(result.score).all() and np.isfinite(result.phi).all()
        assert (result.phi[~native_brain] == OUTSIDE).all()
        assert result.contrast in ("t1", "t2", "flair")
    assert results[0].anatomy is not None and results[0].edges is not None
    np.testing.assert_array_equal(results[0].anatomy, results[1].anatomy)
    again = method.predict(parts)
    np.testing.assert_array_equal(again[0].score, results[0].score)


def test_anatomy_can_be_observed_restored_and_painted_step_by_step(plans: Plans) -> None:
    torch.manual_seed(0)
    method = DisentangledAnatomy(plans, plans.configuration("2d"))
    torch.nn.init.normal_(method.decoder.last.weight)
    method.networks().eval()
    rng = np.random.default_rng(0)
    brain = np.ones((6, 16, 20), bool)
    given = channel(rng.normal(size=brain.shape), brain)
    seen = method.anatomy(given.image)
    assert seen.shape == (4, 6, 16, 20)
    np.testing.assert_allclose(seen.sum(0), 1, atol=1e-5)
    [result] = method.predict([given])
    np.testing.assert_array_equal(method.restore(seen).argmax(0), result.anatomy)
    imaging = fit_imaging(given.image, seen, seen, SPACING, method.scheme)
    picture = method.paint(seen, imaging)
    assert picture.shape == brain.shape
    brighter = replace(imaging, bias=imaging.bias + 1)
    np.testing.assert_allclose(method.paint(seen, brighter) - picture, 1, atol=1e-5)


def test_the_phi_and_what_the_comparator_is_shown_have_sulci(
    plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    twelve = replace(plans, classes=tuple(tissue.name for tissue in TWELVE_CLASSES))
    method = DisentangledAnatomy(twelve, plans.configuration("2d"))
    method.networks().eval()
    shown, paint = [], DisentangledAnatomy._paint

    def spy(self: DisentangledAnatomy, restored: torch.Tensor, imaging: Imaging) -> torch.Tensor:
        shown.append(imaging)
        return paint(self, restored, imaging)

    def measured(image: np.ndarray, *_: object) -> Imaging:
        medians = np.linspace(-2, 1, len(TWELVE_CLASSES), dtype=np.float32)
        return Imaging(medians, np.full(len(medians), 0.3), np.zeros(image.shape), (-2.0, -1.0))

    monkeypatch.setattr(DisentangledAnatomy, "_paint", spy)
    monkeypatch.setattr("disanat.methods.dal.method.fit_imaging", measured)
    rng = np.random.default_rng(0)
    method.predict([channel(rng.normal(size=(6, 16, 20)), np.ones((6, 16, 20), bool))])
    plain = measured(np.zeros(1))
    expected = with_sulci(plain, TWELVE_CLASSES).median
    assert not np.array_equal(plain.median, expected)
    for compared_or_pictured in shown:
        np.testing.assert_array_equal(compared_or_pictured.median, expected)
    assert len(shown) == 2


def test_anatomy_and_lesion_losses() -> None:
    labels = torch.randint(0, 3, (2, 8, 8), generator=torch.Generator().manual_seed(0))
    truth = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    assert float(losses.anatomy_loss(40 * truth, labels)) < 1e-3
    assert float(losses.anatomy_loss(-40 * truth, labels)) > 5
    mask = (labels == 1).float()
    brain = labels > 0
    assert float(losses.lesion_loss(80 * mask - 40, mask, brain)) < 1e-2
    assert float(losses.lesion_loss(40 - 80 * mask, mask, brain)) > 5


def test_lesion_loss_counts_the_brain_alone() -> None:
    brain = torch.zeros(2, 8, 8, dtype=torch.bool)
    brain[:, 2:6, 2:6] = True
    mask = torch.zeros(2, 8, 8)
    mask[:, 3, 3] = 1
    logit = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0))
    shouting = torch.where(brain, logit, 50.0)
    loss = losses.lesion_loss(logit, mask, brain)
    assert float(losses.lesion_loss(shouting, mask, brain)) == pytest.approx(float(loss))
    nowhere = losses.lesion_loss(logit.requires_grad_(), mask, torch.zeros_like(brain))
    nowhere.backward()
    assert float(nowhere.detach()) == 0


def test_pairs() -> None:
    items = torch.arange(6.0).reshape(6, 1)
    assert losses.swap_pairs(items).ravel().tolist() == [1, 0, 3, 2, 5, 4]
    same = torch.randn(2, 3, 4, 4).repeat_interleave(2, 0)
    assert float(losses.pair_disagreement(same)) == 0
    apart = torch.stack([40 * torch.eye(3)[0], 40 * torch.eye(3)[1]])[..., None, None]
    assert float(losses.pair_disagreement(apart)) == pytest.approx(2.0)


def test_painting_loss_counts_the_brain_alone() -> None:
    brain = torch.zeros(1, 1, 4, 4)
    brain[..., :2] = 1
    painted = torch.where(brain > 0, 0.5, 100.0)
    assert float(losses.painting_loss(painted, torch.zeros_like(brain), brain)) == 0.5
    assert float(losses.painting_loss(painted, painted, 0 * brain)) == 0


def test_a_miniature_brain_is_seen_by_the_trained_model(trained_home: Path, miniature: Any) -> None:
    """Healthy brains differ less from their own calibration than brains with a lesion."""
    from disanat.home import Home
    from disanat.inference.find import find_model
    from disanat.inference.model import load_model

    model = load_model(find_model(Home(trained_home), "threshold"))
    scores = []
    for lesion in (False, True):
        brain = miniature.brain(50, "flair", lesion=lesion, noise=1.0)
        inside = brain.labels > 0
        image = (brain.image - brain.image[inside].mean()) / brain.image[inside].std()
        [result] = model.method.predict([channel(image, inside)])
        scores.append(result.score)
    truth = miniature.brain(50, "flair", lesion=True).lesion
    assert np.median(scores[1][truth]) > 0.98 > 0.9 > np.median(scores[0][truth])
