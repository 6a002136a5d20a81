"""What the commands do, as functions: `from disanat import train, evaluate, compare`.

Planning and preprocessing lie in `planning`: `from planning import plan, preprocess`.
"""

from __future__ import annotations

from disanat.api.comparing import compare
from disanat.api.judging import evaluate, subgroups
from disanat.api.models import load_predictor, train

__all__ = ["compare", "evaluate", "load_predictor", "subgroups", "train"]
