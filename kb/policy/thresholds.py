"""From which probability on the sentence model warns of a rule, and from which it is sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from kb.policy.sentence_model import LearnedRule

SURE = 0.97
"""Precision, among sentences that were held out, of findings that are as severe as the rule."""
LIKELY = 0.8
"""No finding blocks below this probability, which counts sentences that break other rules as well."""
WARNED = 0.9
"""The same of all findings, warnings among them. With 0.85 recall rises by 4 points, with 0.8 by 8, and 4 and 7 times
as many sentences of approved texts are warned of (docs/adr/0017)."""
WORTH_A_LOOK = 1 / 3
"""No finding is told below this probability: a long message has many sentences to be wrong about."""
FEWEST_SURE = 10
"""Findings below which a precision is luck."""
NEVER = 1.0


@dataclass(frozen=True)
class HeldOut:
    """What the model said of sentences ``(n,)`` that it had not learned from, for one rule."""

    likely: NDArray[np.float64]
    breaks: NDArray[np.bool_]
    whole: bool
    slope: float
    intercept: float

    def precision(self, threshold: float) -> float:
        """Share of right findings among all; 1 where there are none."""
        found = self.likely >= threshold
        return float(self.breaks[found].mean()) if found.any() else 1.0

    def recall(self, threshold: float) -> float:
        """Share of what breaks the rule that is found."""
        return float((self.likely[self.breaks] >= threshold).mean())


def chosen(rule: str, held_out: HeldOut) -> LearnedRule:
    """The thresholds of ``rule``: the lowest that keep the precision of a warning and of a sure finding."""
    candidates = sorted({float(value) for value in np.round(held_out.likely[held_out.breaks], 3)})
    warn = next((t for t in candidates if t >= WORTH_A_LOOK and held_out.precision(t) >= WARNED), NEVER)
    sure = next((t for t in candidates if t >= max(warn, LIKELY) and _is_sure(held_out, t)), NEVER)
    return LearnedRule(
        id=rule,
        whole=held_out.whole,
        slope=round(held_out.slope, 5),
        intercept=round(held_out.intercept, 5),
        warn_from=warn,
        sure_from=sure,
        average_precision=round(float(average_precision_score(held_out.breaks, held_out.likely)), 3),
        recall=round(held_out.recall(warn), 3),
        precision=round(held_out.precision(warn), 3),
        sure_recall=round(held_out.recall(sure), 3),
        sure_precision=round(held_out.precision(sure), 3),
    )


def _is_sure(held_out: HeldOut, threshold: float) -> bool:
    found = int((held_out.likely >= threshold).sum())
    return found >= FEWEST_SURE and held_out.precision(threshold) >= SURE
