"""Better or refused: champion and challenger on the same frozen tickets, reason by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from classifier.model import ReasonModel
from training.corpus import Example
from training.evaluation import Evaluation, evaluate, predict

F1_DROP = 0.02
"""A reason may lose so much F1 before it counts, and only if the loss is significant."""
SIGNIFICANCE = 0.05
NOISE_TICKETS = 1
"""Frozen tickets of a human-only reason that a challenger may lose net: one borderline ticket turns either way from fit
to fit. A second one refuses it, significant or not, because here a miss costs more than a model that stays behind."""
CALIBRATION_SLACK = 0.02


@dataclass(frozen=True)
class ReasonComparison:
    """One reason on the frozen set: F1 and recall of both models, and how sure a loss of recall is.

    ``lost`` tickets only the champion got right, ``won`` only the challenger.
    """

    reason: str
    n: int
    champion_f1: float
    challenger_f1: float
    champion_recall: float
    challenger_recall: float
    lost: int
    won: int
    p_worse: float


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and every argument for and against."""

    promote: bool
    because: tuple[str, ...]
    reasons: tuple[ReasonComparison, ...]
    champion: Evaluation | None
    challenger: Evaluation

    def to_json(self) -> dict[str, Any]:
        """For `paretodesk retrain --json` and the model card."""
        return asdict(self)


def judge(
    champion: ReasonModel | None,
    challenger: ReasonModel,
    frozen: Sequence[Example],
    human_only: frozenset[str],
) -> Verdict:
    """Compare on ``frozen`` tickets that neither model learned from.

    The challenger is refused when its macro-F1 is not higher, when the guard finds fewer human-only tickets, when a
    human-only reason loses more than `NOISE_TICKETS` tickets net, when any reason's F1 falls with significance by more
    than `F1_DROP`, or when its calibration gets worse.
    """
    theirs = predict(challenger, frozen, human_only)
    new = evaluate(challenger, frozen, human_only, theirs)
    if champion is None:
        return Verdict(True, ("there is no champion yet",), (), None, new)
    ours = predict(champion, frozen, human_only)
    old = evaluate(champion, frozen, human_only, ours)
    comparisons = tuple(
        _compare(reason, old, new, ours.correct, theirs.correct, ours.truth)
        for reason in sorted({example.reason for example in frozen})
    )
    against = []
    if new.macro_f1 <= old.macro_f1:
        against.append(f"macro-F1 {new.macro_f1:.3f} is not above the champion's {old.macro_f1:.3f}")
    if (new.guard_recall or 0.0) < (old.guard_recall or 0.0):
        against.append(
            f"the guard finds {new.guard_recall:.3f} of the human-only tickets, the champion {old.guard_recall:.3f}"
        )
    if new.ece > old.ece + CALIBRATION_SLACK:
        against.append(f"calibration error {new.ece:.3f} is worse than the champion's {old.ece:.3f}")
    for c in comparisons:
        if c.reason in human_only and c.lost - c.won > NOISE_TICKETS:
            against.append(
                f"{c.reason} (human-only) recall falls from {c.champion_recall:.3f} to {c.challenger_recall:.3f}: "
                f"{c.lost} of {c.n} tickets lost, {c.won} won"
            )
        elif c.challenger_f1 < c.champion_f1 - F1_DROP and c.p_worse < SIGNIFICANCE:
            against.append(
                f"{c.reason} F1 falls from {c.champion_f1:.3f} to {c.challenger_f1:.3f} (p = {c.p_worse:.3f})"
            )
    if against:
        return Verdict(False, tuple(against), comparisons, old, new)
    better = f"macro-F1 rises from {old.macro_f1:.3f} to {new.macro_f1:.3f} and no guarded figure falls"
    return Verdict(True, (better,), comparisons, old, new)


def _compare(
    reason: str,
    old: Evaluation,
    new: Evaluation,
    champion_correct: NDArray[np.bool_],
    challenger_correct: NDArray[np.bool_],
    truth: NDArray[np.str_],
) -> ReasonComparison:
    mine = truth == reason
    lost = int((champion_correct & ~challenger_correct & mine).sum())
    won = int((~champion_correct & challenger_correct & mine).sum())
    # Exact McNemar: only tickets on which the two differ say anything.
    p_worse = float(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue) if lost + won else 1.0
    before, after = old.per_label[reason], new.per_label[reason]
    return ReasonComparison(
        reason, int(mine.sum()), before.f1, after.f1, before.recall, after.recall, lost, won, p_worse
    )
