"""What a case was measured from, as one number: the same content measures the same."""

from __future__ import annotations

import hashlib
import json

from disanat.io.cases import Case
from disanat.io.content import file_digest, image_files
from disanat.io.dataset import RawDataset
from disanat.plans import BrainMaskTool
from disanat.preprocessing.extractor_file import shipped_digest
from planning.measures import MEASURES_VERSION

__all__ = ["content_of"]


def content_of(dataset: RawDataset, case: Case, tool: BrainMaskTool = "extractor") -> str:
    """SHA-256 (hex) over a case's images, label map and own brain mask, byte for byte.

    The numbers of its channels, the dataset's label mapping, what finds the brain in whole heads
    (of the extractor, its weights) and `MEASURES_VERSION` are part of it; names of files and when
    they were written are not.

    Raises:
        ImageError: a file cannot be read.
    """
    mapping = {name: sorted(numbers) for name, numbers in dataset.label_mapping.items()}
    finder = shipped_digest() if tool == "extractor" else tool
    parts = [json.dumps([MEASURES_VERSION, mapping, finder], sort_keys=True)]
    for channel, path in case.channels.items():
        parts += [f"channel {channel} {file_digest(file)}" for file in image_files(path)]
    beside = {
        "prior": dataset.prior_path(case.name),
        "brain mask": dataset.brain_mask_path(case.name),
    }
    for what, beside_path in beside.items():
        if beside_path is not None:
            parts += [f"{what} {file_digest(file)}" for file in image_files(beside_path)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
