"""When a shift wants somebody's attention: thresholds, and what is said when one is crossed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desk.top_reasons import TOP
from training.shift.estimate import EstimatedShift

SURE = 0.9
"""Probability of a place among the top five from which a newcomer is believed."""


@dataclass(frozen=True)
class AlarmLimits:
    """At what an alarm rings, all in 0..1.

    ``change`` of the share of a reason that is or was among the top five; ``unfamiliar`` share of tickets;
    ``accuracy`` estimated of the model's best reasons. 0 turns one off. ``new_top_five``: whether a reason new among
    the top five rings.
    """

    change: float = 0.05
    new_top_five: bool = True
    unfamiliar: float = 0.1
    accuracy: float = 0.7


@dataclass(frozen=True)
class Alarm:
    """One alarm: ``kind`` is change, new_top_five, unfamiliar or accuracy; ``reason`` where it is about one."""

    kind: str
    reason: str | None
    value: float
    limit: float
    message: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return vars(self).copy()


def alarms_of(shift: EstimatedShift, limits: AlarmLimits) -> tuple[Alarm, ...]:
    """What rings. Each is beyond its limit by more than chance: a real change, or an interval beyond the limit."""
    return (*_of_reasons(shift, limits), *_of_model(shift, limits))


def _of_reasons(shift: EstimatedShift, limits: AlarmLimits) -> list[Alarm]:
    rung = []
    for line in shift.reasons:
        ranks = [share.rank for share in (line.baseline, line.current)]
        topmost = any(rank is not None and rank <= TOP for rank in ranks)
        if limits.change and topmost and line.real and abs(line.change) >= limits.change:
            message = (
                f"{line.reason} went from {line.baseline.value:.1%} to {line.current.value:.1%} of the tickets; "
                f"the limit is {100 * limits.change:g} points"
            )
            rung.append(Alarm("change", line.reason, line.change, limits.change, message))
        new = line.reason in shift.current.top_five and line.reason not in shift.baseline.top_five
        if limits.new_top_five and new and line.real and line.current.top_five >= SURE:
            rung.append(
                Alarm(
                    "new_top_five", line.reason, line.current.top_five, SURE,
                    f"{line.reason} is new among the five most frequent reasons "
                    f"(probability {line.current.top_five:.2f})",
                )
            )  # fmt: skip
    return rung


def _of_model(shift: EstimatedShift, limits: AlarmLimits) -> list[Alarm]:
    rung = []
    found, accuracy = shift.unfamiliar, shift.current.accuracy
    if limits.unfamiliar and found.current_low > limits.unfamiliar:
        message = (
            f"{found.current:.1%} of the tickets are unlike anything learned; the limit is {limits.unfamiliar:.1%}"
        )
        rung.append(Alarm("unfamiliar", None, found.current, limits.unfamiliar, message))
    if limits.accuracy and accuracy is not None and accuracy.high < limits.accuracy:
        message = (
            f"the model's best reason is right for an estimated {accuracy.value:.1%} of the tickets "
            f"({accuracy.low:.1%} to {accuracy.high:.1%}); the limit is {limits.accuracy:.1%}"
        )
        rung.append(Alarm("accuracy", None, accuracy.value, limits.accuracy, message))
    return rung
