"""The trained model that ships with the package: where it is, and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from disanat.errors import ModelError
from disanat.home import read_json
from disanat.inference.model import DESCRIPTION

__all__ = ["NAME", "BundledModel", "bundled_folder", "bundled_model", "is_bundled"]

NAME = "pretrained"
"""What `-m` calls the shipped model."""
_REMEDY = "install disanat again, or make it anew with benchmarks/pretrained.py"


@dataclass(frozen=True)
class BundledModel:
    """What the shipped model's description says.

    `cases` is the number of healthy scans it was trained on, `finished` the date in ISO format.
    """

    folder: Path
    method: str
    dataset: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    spacing: tuple[float, ...]
    cases: int
    finished: str

    @property
    def sentence(self) -> str:
        """What a user is told when this model is taken."""
        size = " x ".join(f"{mm:g}" for mm in self.spacing)
        return (
            f"Taking the model that ships with disanat: {self.method}, trained on {self.cases} "
            f"healthy scans of {self.dataset} ({', '.join(self.channels)}, {size} mm), finished "
            f"{self.finished}."
        )


def bundled_folder() -> Path:
    """Where the shipped model lies, whether it is there or not."""
    return Path(str(resources.files("disanat"))) / "pretrained" / "dal"


def bundled_model() -> BundledModel | None:
    """The shipped model; None where the package was installed without one.

    Raises:
        ModelError: its description is damaged.
    """
    folder = bundled_folder()
    source = folder / DESCRIPTION
    if not source.exists():
        return None
    data = read_json(source, ModelError, _REMEDY)
    try:
        plans, cases = data["plans"], data["facts"]["train_cases"]
        return BundledModel(
            folder=folder,
            method=str(data["method"]),
            dataset=str(plans["dataset"]),
            channels=tuple(str(name) for name in plans["channel_names"]),
            classes=tuple(str(name) for name in plans["classes"]),
            spacing=tuple(float(mm) for mm in data["configuration"]["spacing"]),
            cases=int(cases) if isinstance(cases, int) else len(cases),
            finished=str(data["finished"])[:10],
        )
    except (KeyError, TypeError, ValueError) as cause:
        raise ModelError(f"{source} is damaged ({cause!r}): {_REMEDY}.") from cause


def is_bundled(folder: Path) -> bool:
    """Whether a model's folder is that of the shipped model."""
    return folder.resolve() == bundled_folder().resolve()
