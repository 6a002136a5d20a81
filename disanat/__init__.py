"""disanat: lesions in brain MRI, found without ever having seen one.

>>> from planning import plan, preprocess
>>> from disanat import train, Predictor, predict_folder, evaluate, compare
>>> plans = plan("5")
>>> preprocess("5")
>>> predictor = Predictor.from_folder(train("5"))
>>> prediction = predictor.predict("scan.nii.gz")

Nothing heavy is loaded before one of these names is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disanat.api.comparing import compare
    from disanat.api.judging import evaluate, subgroups
    from disanat.api.models import load_predictor, train
    from disanat.errors import DisanatError
    from disanat.evaluation.evaluate import CaseResult, Evaluation
    from disanat.evaluation.subgroups import Subgroups
    from disanat.experiments.compare import Outcome
    from disanat.inference.folder import CaseRow, predict_folder
    from disanat.inference.predictor import Prediction, Predictor

__version__ = "0.1.0"
__all__ = [
    "CaseResult",
    "CaseRow",
    "DisanatError",
    "Evaluation",
    "Outcome",
    "Prediction",
    "Predictor",
    "Subgroups",
    "__version__",
    "compare",
    "evaluate",
    "load_predictor",
    "predict_folder",
    "subgroups",
    "train",
]

_WHERE = {
    "CaseResult": "disanat.evaluation.evaluate",
    "CaseRow": "disanat.inference.folder",
    "DisanatError": "disanat.errors",
    "Evaluation": "disanat.evaluation.evaluate",
    "Outcome": "disanat.experiments.compare",
    "Prediction": "disanat.inference.predictor",
    "Predictor": "disanat.inference.predictor",
    "Subgroups": "disanat.evaluation.subgroups",
    "compare": "disanat.api.comparing",
    "evaluate": "disanat.api.judging",
    "load_predictor": "disanat.api.models",
    "predict_folder": "disanat.inference.folder",
    "subgroups": "disanat.api.judging",
    "train": "disanat.api.models",
}


def __getattr__(name: str) -> Any:
    """Load a name only when it is asked for: most of them bring torch."""
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'disanat' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
