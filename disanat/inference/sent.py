"""A predictor for worker processes elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from disanat.inference.model import finished
from disanat.inference.prediction import Prediction
from disanat.inference.predictor import Predictor
from disanat.inference.registering import Route
from disanat.io.cases import Case
from disanat.methods.ensemble import Ensemble
from disanat.methods.interface import Method

__all__ = ["SentPredictor"]


@dataclass(frozen=True)
class SentPredictor:
    """Predicts as the predictor it stands for.

    It holds a path alone, so that it can be sent to worker processes; each of them loads the model
    once, when it is first needed.
    """

    folder: Path
    device: str
    threshold: str
    fast: bool
    made: str
    """When the model was finished: one that was trained again is loaded again."""

    @classmethod
    def of(cls, predictor: Predictor) -> SentPredictor:
        """What to send of a predictor."""
        method = predictor.model.method
        first = method.members[0] if isinstance(method, Ensemble) else method
        networks = first.networks() if isinstance(first, Method) else None
        weights = next(networks.parameters(), None) if networks is not None else None
        device = "cpu" if weights is None else weights.device.type
        folder = predictor.model.folder.absolute()
        return cls(folder, device, predictor.threshold_choice, predictor.fast, finished(folder))

    def predict_case(
        self, case: Case, brain_mask: Path | None = None, register: Route | None = None
    ) -> Prediction:
        """As `Predictor.predict_case`."""
        return _loaded(self).predict_case(case, brain_mask, register)


@lru_cache(maxsize=1)
def _loaded(sent: SentPredictor) -> Predictor:
    return Predictor.from_folder(sent.folder, sent.device, sent.threshold, sent.fast)
