"""A plan's decisions as text for people."""

from __future__ import annotations

import textwrap

from disanat.plans import Plans

__all__ = ["explain"]

_WIDTH = 96


def explain(plans: Plans) -> str:
    """Each decision with its value, and its reason below."""
    lines = [f"Plan for {plans.dataset}", ""]
    for decision in plans.decisions:
        lines += textwrap.wrap(
            f"{decision.name}: {decision.value}", _WIDTH, subsequent_indent="    "
        )
        lines += textwrap.wrap(
            decision.reason, _WIDTH, initial_indent="    ", subsequent_indent="    "
        )
    if plans.overridden:
        lines += ["", f"Set by you: {', '.join(plans.overridden)}."]
    return "\n".join(lines)
