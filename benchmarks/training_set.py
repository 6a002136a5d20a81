"""The training set of the benchmarks on real scans: IXI, and label maps of other brains."""

from __future__ import annotations

from pathlib import Path

from steps import ROOT, Commands

__all__ = ["FOLDER", "UNSEEN_MAPS", "convert_training_set"]

FOLDER = "Dataset005_IXI"
UNSEEN_MAPS = 4
"""How many label maps, the last by name, train nothing: benchmarks/anatomy.py judges by them."""


def convert_training_set(commands: Commands, home: Path, data: Path) -> None:
    """Healthy IXI scans with their label maps, and label maps without scans, into a raw dataset.

    Args:
        commands: runs disanat's own commands in `home`.
        home: relative to the repository's root.
        data: the folder of real scans.
    """
    commands.run("disanat_convert", "ixi", "-i", data / "ixi_t1_2mm", "--link")
    maps = data / "synthseg_label_maps"
    commands.run("disanat_convert", "label_maps", "-i", maps, "-d", "5", "--link")
    folder = ROOT / home / "raw" / FOLDER
    (folder / "labelmapsTs").mkdir(exist_ok=True)
    for path in sorted((folder / "labelmapsTr").iterdir())[-UNSEEN_MAPS:]:
        path.rename(folder / "labelmapsTs" / path.name)
