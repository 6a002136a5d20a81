"""Trains the brain extractor that ships with disanat, and measures it on scans it has not seen.

    python benchmarks/brain_extractor.py train     label maps -> disanat/pretrained/
    python benchmarks/brain_extractor.py measure   IXI -> benchmarks/brain_masks.md

Settings were chosen on the held-out label maps alone; IXI is for measuring.
"""

from __future__ import annotations

import argparse
import copy
import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from acvl_utils.morphology.morphology_helper import remove_all_but_largest_component
from torch import Tensor, nn
from torch.nn import functional

from brain_masks import CLOSING_MM, dice_of, measure
from disanat.io.images import read_labels
from disanat.preprocessing.brain_extractor import (
    BrainExtractor,
    ExtractorDescription,
    standardise_head,
)
from disanat.preprocessing.brain_mask import close_mask
from disanat.preprocessing.resampling import resample
from disanat.synthesis.heads import BONE, OUTER, VESSEL, HeadMap, HeadSample, draw_head
from disanat.tissues import EIGHT_CLASSES, NUMBERINGS, remap_labels
from steps import ROOT

log = logging.getLogger("brain_extractor")

WEIGHTS = ROOT / "disanat" / "pretrained" / "brain_extractor.safetensors"
HOME = ROOT / "real_home" / "brain_extractor"
SPACING_MM = 4.0
FEATURES = (8, 16, 32, 64, 64)
HELD_OUT = 3
"""Label maps at the end of the list that only validate."""
BONE_LABEL, FIRST_OUTER_LABEL = 515, 500
CEREBELLUM = (7, 8, 46, 47)
GRIDS = (((48, 64), 0.4), ((48, 64), 0.8), ((48, 64), 0.15))
"""Voxels along S, P, L, and how often the larger number."""
LEARNING_RATE, WARM_UP, SMOOTHING = 1.5e-3, 100, 0.995
VALIDATE_EVERY, VALIDATION_HEADS = 250, 24


def head_map(path: Path) -> HeadMap:
    """A label map of FreeSurfer numbering as codes, with what is inside the skull as the brain.

    The fluid around the brain counts, as it does in DLMUSE's maps; what lies below the lowest
    cerebellum (the spinal canal) does not. White-matter lesions become white matter.
    """
    scan = read_labels(path)
    labels = scan.array
    inside = remove_all_but_largest_component((labels > 0) & (labels < FIRST_OUTER_LABEL))
    labels = np.where(inside | (labels >= FIRST_OUTER_LABEL), labels, 0)
    bounds = np.argwhere(labels > 0)
    box = tuple(slice(a, b + 1) for a, b in zip(bounds.min(0), bounds.max(0)))
    labels, inside = labels[box], inside[box]
    lowest = int(np.flatnonzero(np.isin(labels, CEREBELLUM).any((1, 2))).min())
    codes = remap_labels(labels, NUMBERINGS["freesurfer"], EIGHT_CLASSES)
    codes[inside & (codes == 0)] = VESSEL
    others = [n for n in np.unique(labels[labels >= FIRST_OUTER_LABEL]) if n != BONE_LABEL]
    codes[labels == BONE_LABEL] = BONE
    for code, number in enumerate(others, start=OUTER):
        codes[labels == number] = code
    inside[:lowest] = False
    brain = close_mask(inside, scan.spacing, CLOSING_MM)
    brain[:lowest] = False
    return HeadMap(codes, brain, scan.spacing)


@dataclass(frozen=True)
class Example:
    """One rendered head as the network takes it; all tensors (1, 1, S, P, L)."""

    image: Tensor
    target: Tensor
    seen: Tensor
    fine_target: np.ndarray


def example(rng: np.random.Generator, head: HeadMap) -> Example:
    """Render a head on a grid of random size."""
    shape = [sizes[int(rng.random() < share)] for sizes, share in GRIDS]
    sample: HeadSample = draw_head(rng, head, shape, SPACING_MM)
    image = standardise_head(sample.image, sample.seen, rng.uniform(98.0, 99.9))
    tensors = [
        torch.from_numpy(np.ascontiguousarray(a, np.float32))[None, None]
        for a in (image, sample.target, sample.seen)
    ]
    tensors[0] = tensors[0].to(memory_format=torch.channels_last_3d)
    return Example(*tensors, sample.fine_target)


def loss_of(logits: Tensor, target: Tensor, seen: Tensor) -> Tensor:
    """Cross-entropy and soft Dice where something is seen, against shares of voxels."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    share = torch.sigmoid(logits) * seen
    overlap = (share * target).sum()
    dice = 2 * overlap / (share.sum() + (target * seen).sum() + 1.0)
    return (entropy * seen).sum() / seen.sum() + 1 - dice


def validate(network: nn.Module, examples: list[Example]) -> np.ndarray:
    """Dice of every example on the grid twice as fine, where something is seen."""
    scores = []
    with torch.inference_mode():
        for e in examples:
            logits = resample(network(e.image)[0, 0].numpy(), e.fine_target.shape)
            seen = resample(e.seen[0, 0].numpy(), e.fine_target.shape, order=0) > 0
            scores.append(dice_of((logits > 0) & seen, e.fine_target & seen))
    return np.array(scores)


def train(data: Path, steps: int, seed: int, start_from: Path | None = None) -> None:
    """Train on rendered heads; the running mean of the weights is kept.

    `start_from` is what an interrupted training saved last: its schedule goes on, with other
    draws and a fresh optimiser.
    """
    paths = sorted((data / "synthseg_label_maps").glob("*.nii.gz"))
    heads = [head_map(path) for path in paths]
    fixed = np.random.default_rng(seed + 1)
    held_out = heads[-HELD_OUT:]
    examples = [example(fixed, held_out[i % HELD_OUT]) for i in range(VALIDATION_HEADS)]
    log.info("%d label maps, %d of them held out", len(heads), HELD_OUT)
    torch.manual_seed(seed)
    done, weights = 0, None
    if start_from is not None:
        earlier = BrainExtractor.load(start_from)
        done, weights = earlier.description.trained_steps, earlier.network.state_dict()
    rng = np.random.default_rng((seed, done))
    description = ExtractorDescription(
        SPACING_MM, FEATURES, steps, f"{len(heads) - HELD_OUT} SynthSeg label maps"
    )
    network = description.build().to(memory_format=torch.channels_last_3d)  # faster on CPUs
    if weights is not None:
        network.load_state_dict(weights)
    smoothed = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-3)
    start, recent = time.monotonic(), []
    for step in range(done + 1, steps + 1):
        rate = min((step - done) / WARM_UP, 0.5 + 0.5 * np.cos(np.pi * step / (steps + 1)))
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * float(rate)
        drawn = example(rng, heads[rng.integers(len(heads) - HELD_OUT)])
        loss = loss_of(network(drawn.image), drawn.target, drawn.seen)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        keep = min(SMOOTHING, 1 - 1 / (step / 10 + 1))
        with torch.no_grad():
            for mean, new in zip(smoothed.parameters(), network.parameters()):
                mean.lerp_(new, 1 - keep)
        recent.append(loss.item())
        if step % 25 == 0:
            per_step = (time.monotonic() - start) / (step - done)
            log.info("step %d loss %.3f, %.2f s a step", step, np.mean(recent[-25:]), per_step)
        if step % VALIDATE_EVERY == 0 or step == steps:
            scores = validate(smoothed, examples)
            log.info(
                "step %d held-out Dice: median %.4f mean %.4f min %.4f",
                step, np.median(scores), scores.mean(), scores.min(),
            )  # fmt: skip
            reached = replace(description, trained_steps=step)
            BrainExtractor(reached, smoothed.state_dict()).save(HOME / "latest.safetensors")
    BrainExtractor(description, smoothed.state_dict()).save(WEIGHTS)
    log.info("written: %s", WEIGHTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("step", choices=("train", "measure"))
    parser.add_argument("--steps", type=int, default=2600, help="training steps, one head each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start_from", type=Path, help="go on from an interrupted training's file")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    data = ROOT / os.environ.get("DISANAT_TEST_DATA", "../shared/data")
    if not data.is_dir():
        parser.error(f"{data} is not there: set DISANAT_TEST_DATA to the folder of real scans.")
    if args.step == "train":
        HOME.mkdir(parents=True, exist_ok=True)
        train(data, args.steps, args.seed, args.start_from)
    else:
        measure(data)


if __name__ == "__main__":
    main()
