"""Planning: what a dataset looks like, and how to train on it.

>>> from planning import plan, preprocess
>>> plans = plan("5", gpu_memory_gb=8)
>>> folders = preprocess("5")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planning.dataset import plan, plan_and_preprocess, preprocess
    from planning.planner import Overrides

__all__ = ["Overrides", "plan", "plan_and_preprocess", "preprocess"]


def __getattr__(name: str) -> Any:
    """Load a function only when it is asked for: they bring SimpleITK and more with them."""
    if name in ("plan", "plan_and_preprocess", "preprocess"):
        from planning import dataset

        return getattr(dataset, name)
    if name == "Overrides":
        from planning.planner import Overrides

        return Overrides
    raise AttributeError(f"module 'planning' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
