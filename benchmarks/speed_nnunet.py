"""Run by nnU-Net's own Python: an untrained model of a plan, ready for `nnUNetv2_predict`.

    python speed_nnunet.py DATASET PLANS CONFIGURATION
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


def main() -> None:
    dataset, plans, configuration = sys.argv[1:]
    folder = Path(os.environ["nnUNet_preprocessed"]) / dataset  # noqa: SIM112
    described = json.loads((folder / f"{plans}.json").read_text())
    declared = json.loads((folder / "dataset.json").read_text())
    given = {**described, "continue_training": False}
    trainer = nnUNetTrainer(given, configuration, 0, declared, device=torch.device("cpu"))
    trainer.initialize()
    target = Path(trainer.output_folder)
    target.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(str(target / "checkpoint_final.pth"))
    for name, data in (("plans.json", described), ("dataset.json", declared)):
        (target.parent / name).write_text(json.dumps(data))
    plan = described["configurations"][configuration]
    print(json.dumps({"patch": plan["patch_size"], "spacing": plan["spacing"]}))


if __name__ == "__main__":
    main()
