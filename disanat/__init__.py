"""disanat: lesions in brain MRI, found without ever having seen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from disanat.inference.predictor import Prediction, Predictor

__version__ = "0.1.0"
__all__ = ["Prediction", "Predictor", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the predictor only when it is asked for: it brings torch with it."""
    if name in ("Prediction", "Predictor"):
        from disanat.inference import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module 'disanat' has no attribute '{name}'")
