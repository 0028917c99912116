"""Better or refused: champion and challenger on the same tickets, reason by reason, language by language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from classifier.model import ReasonModel
from training.corpus import Example
from training.evaluation import Evaluation, Predictions, evaluate, predict
from training.latency import Latency

F1_DROP = 0.02
"""A reason may lose so much F1 before it counts, and only if the loss is significant."""
ACCURACY_DROP = 0.02
"""The same for the accuracy of a language, a channel or the newest quarter."""
SIGNIFICANCE = 0.05
NOISE_TICKETS = 1
"""Frozen tickets of a human-only reason that a challenger may lose net: one borderline ticket turns either way from fit
to fit. A second one refuses it, significant or not, because here a miss costs more than a model that stays behind."""
CALIBRATION_SLACK = 0.02
CALIBRATION_TICKETS = 300
"""Below so many tickets of the newest quarter its calibration error is mostly chance and refuses nobody."""
SLOWER = 1.5
"""A challenger may take so many times as long for one ticket as the champion."""
NEWEST = "newest quarter: "


@dataclass(frozen=True)
class ReasonComparison:
    """One reason on one set: F1 and recall of both models, and how sure a loss of recall is.

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
class SliceComparison:
    """Accuracy of both models on one language or channel; ``kind`` says which of these ``value`` is."""

    kind: str
    value: str
    n: int
    champion_accuracy: float
    challenger_accuracy: float
    lost: int
    won: int
    p_worse: float


@dataclass(frozen=True)
class Comparison:
    """Both models on one set of tickets that neither learned from. Without a champion there is nothing to compare."""

    champion: Evaluation | None
    challenger: Evaluation
    reasons: tuple[ReasonComparison, ...] = ()
    slices: tuple[SliceComparison, ...] = ()
    lost: int = 0
    won: int = 0
    p_worse: float = 1.0


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may serve, and every argument for and against.

    ``champion``, ``challenger``, ``reasons`` and ``slices`` are figures on the frozen set, ``newest`` the same on the
    newest quarter, None where it has no ticket that neither learned from. ``latency`` is None where nobody measured.
    """

    promote: bool
    because: tuple[str, ...]
    reasons: tuple[ReasonComparison, ...]
    champion: Evaluation | None
    challenger: Evaluation
    slices: tuple[SliceComparison, ...] = ()
    newest: Comparison | None = None
    latency: Latency | None = None

    def to_json(self) -> dict[str, Any]:
        """For `paretodesk retrain --json` and the model card."""
        return asdict(self)


def judge(
    champion: ReasonModel | None,
    challenger: ReasonModel,
    frozen: Sequence[Example],
    human_only: frozenset[str],
    *,
    newest: Sequence[Example] = (),
    latency: Latency | None = None,
) -> Verdict:
    """Compare on ``frozen`` and ``newest`` tickets that neither model learned from.

    The challenger is refused when its macro-F1 on the frozen set is not higher, when it takes more than `SLOWER` times
    as long, or when on either set the guard finds fewer human-only tickets, a human-only reason loses more than
    `NOISE_TICKETS` tickets net, calibration gets worse, or a reason's F1, a language, a channel or (newest quarter) the
    whole falls with significance by more than `F1_DROP` or `ACCURACY_DROP`.
    """
    old = compare(champion, challenger, frozen, human_only)
    new = compare(champion, challenger, newest, human_only) if newest else None
    figures = old.reasons, old.champion, old.challenger, old.slices, new, latency
    if old.champion is None:
        return Verdict(True, ("there is no champion yet",), *figures)
    before, after = old.champion.macro_f1, old.challenger.macro_f1
    against = [f"macro-F1 {after:.4f} is not above the champion's {before:.4f}"] if after <= before else []
    against += objections(old, human_only)
    if new is not None:
        against += [NEWEST + objection for objection in objections(new, human_only, CALIBRATION_TICKETS)]
        against += [NEWEST + objection for objection in _whole(new)]
    if latency is not None and latency.ratio > SLOWER:
        against.append(
            f"one ticket takes {latency.challenger_ms:.1f} ms, {latency.ratio:.1f} times the champion's "
            f"{latency.champion_ms:.1f} ms"
        )
    if against:
        return Verdict(False, tuple(against), *figures)
    return Verdict(True, (f"macro-F1 rises from {before:.4f} to {after:.4f} and no guarded figure falls",), *figures)


def compare(
    champion: ReasonModel | None, challenger: ReasonModel, examples: Sequence[Example], human_only: frozenset[str]
) -> Comparison:
    """Both models on the same tickets, as a whole and by reason, language and channel."""
    theirs = predict(challenger, examples, human_only)
    new = evaluate(challenger, examples, human_only, theirs)
    if champion is None:
        return Comparison(None, new)
    ours = predict(champion, examples, human_only)
    old = evaluate(champion, examples, human_only, ours)
    reasons = []
    for reason in sorted({example.reason for example in examples}):
        was, now = old.per_label[reason], new.per_label[reason]
        mine = ours.truth == reason
        lost, won, p_worse = _paired(ours, theirs, mine)
        reasons.append(
            ReasonComparison(reason, int(mine.sum()), was.f1, now.f1, was.recall, now.recall, lost, won, p_worse)
        )
    slices = []
    for kind, column in (("language", "locale"), ("channel", "channel")):
        values = np.array([getattr(example, column) for example in examples])
        for value in sorted(set(values.tolist()) - {""}):
            mine = values == value
            was_right, is_right = float(ours.correct[mine].mean()), float(theirs.correct[mine].mean())
            lost, won, p_worse = _paired(ours, theirs, mine)
            slices.append(SliceComparison(kind, value, int(mine.sum()), was_right, is_right, lost, won, p_worse))
    whole = _paired(ours, theirs, np.ones(len(examples), dtype=bool))
    return Comparison(old, new, tuple(reasons), tuple(slices), *whole)


def objections(comparison: Comparison, human_only: frozenset[str], calibration_tickets: int = 0) -> list[str]:
    """Every guarded figure that is worse, but for the whole's accuracy and macro-F1."""
    old, new = comparison.champion, comparison.challenger
    if old is None:
        return []
    against = []
    if (new.guard_recall or 0.0) < (old.guard_recall or 0.0):
        against.append(
            f"the guard finds {new.guard_recall:.3f} of the human-only tickets, the champion {old.guard_recall:.3f}"
        )
    if new.n >= calibration_tickets and new.ece > old.ece + CALIBRATION_SLACK:
        against.append(f"calibration error {new.ece:.3f} is worse than the champion's {old.ece:.3f}")
    for c in comparison.reasons:
        if c.reason in human_only and c.lost - c.won > NOISE_TICKETS:
            against.append(
                f"{c.reason} (human-only) recall falls from {c.champion_recall:.3f} to {c.challenger_recall:.3f}: "
                f"{c.lost} of {c.n} tickets lost, {c.won} won"
            )
        elif c.challenger_f1 < c.champion_f1 - F1_DROP and c.p_worse < SIGNIFICANCE:
            against.append(
                f"{c.reason} F1 falls from {c.champion_f1:.3f} to {c.challenger_f1:.3f} (p = {c.p_worse:.3f})"
            )
    against += [
        f"{s.kind} {s.value}: accuracy falls from {s.champion_accuracy:.3f} to {s.challenger_accuracy:.3f} "
        f"(p = {s.p_worse:.3f})"
        for s in comparison.slices
        if s.challenger_accuracy < s.champion_accuracy - ACCURACY_DROP and s.p_worse < SIGNIFICANCE
    ]
    return against


def _whole(comparison: Comparison) -> list[str]:
    old, new = comparison.champion, comparison.challenger
    if old is None or comparison.p_worse >= SIGNIFICANCE or new.accuracy >= old.accuracy - ACCURACY_DROP:
        return []
    return [f"accuracy falls from {old.accuracy:.3f} to {new.accuracy:.3f} (p = {comparison.p_worse:.3f})"]


def _paired(ours: Predictions, theirs: Predictions, mine: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Tickets lost and won, and by McNemar's exact test how probable so many losses are by chance."""
    lost = int((ours.correct & ~theirs.correct & mine).sum())
    won = int((~ours.correct & theirs.correct & mine).sum())
    # Only tickets on which the two differ say anything.
    p_worse = float(binomtest(lost, lost + won, 0.5, alternative="greater").pvalue) if lost + won else 1.0
    return lost, won, p_worse
