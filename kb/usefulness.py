"""Measured usefulness of macros, and how it orders those that fit a ticket equally well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PRIOR_USES = 10
"""A macro with fewer uses than this is judged mostly by the average of all; our own choice."""


@dataclass(frozen=True)
class Usefulness:
    """How often a macro was sent, and how many of these tickets it settled at first contact."""

    used: int
    resolved: int

    def __str__(self) -> str:
        return f"settled {self.resolved} of {self.used} tickets at first contact"


def expected_resolution(measured: Mapping[str, Usefulness], macro_id: str) -> float:
    """The share of tickets that a macro is expected to settle, in 0..1: its own, drawn to the average of all macros.

    The mean of a beta posterior whose prior is worth `PRIOR_USES` uses at the average, so that two lucky uses do not
    win over fifty good ones. A macro that was never sent is average.
    """
    used = sum(found.used for found in measured.values())
    average = sum(found.resolved for found in measured.values()) / used if used else 0.0
    own = measured.get(macro_id, Usefulness(0, 0))
    return (own.resolved + PRIOR_USES * average) / (own.used + PRIOR_USES)
