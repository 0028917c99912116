"""Fit the model's half of the human-only guard; choose on held-out tickets where it raises and where it overrules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from classifier.abstention import error_upper_bound
from classifier.danger import DangerHead
from classifier.secondary import log_odds

HUMAN_ONLY_RECALL = 0.98
"""Of the human-only tickets so many shall be heard by rules and model together."""
DELTA = 0.5
"""Risk that they are not, on tickets like those held out, by an exact bound (Clopper-Pearson): as likely as not. With
0.05 ordinary tickets pay for the certainty with four more false alarms in a hundred (docs/adr/0005)."""
OVERRULED_SHARE = 0.3
"""So much of what may be missed may be missed by overruling a rule; 0.2 to 0.4 fare alike (docs/adr/0005)."""
MIN_DANGEROUS = 300
"""Human-only tickets needed before a rule may be overruled: two in a hundred of fewer are a handful."""

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What held-out tickets say, all ``(n,)``: probability of danger in the ``whole`` ticket and in its best ``part``.

    ``dangerous`` tickets ask for a human-only reason, first or further. ``alarmed`` are those that rules raise,
    ``overrulable`` those among them whose rules only mention something (None: no rule does).
    """

    whole: Floats
    part: Floats
    dangerous: Mask
    alarmed: Mask
    overrulable: Mask | None


def fit_danger(seen: Evidence, folds: Sequence[NDArray[np.int64]]) -> DangerHead | None:
    """Weights on all tickets, thresholds on what each of the ``folds`` (rows held out) is told by the others.

    None with fewer than `MIN_DANGEROUS` dangerous tickets.
    """
    if seen.dangerous.sum() < MIN_DANGEROUS or seen.dangerous.all():
        return None
    x = np.stack([log_odds(seen.whole), log_odds(seen.part)], axis=1)
    danger = np.empty(len(x))
    for held in folds:
        rest = np.setdiff1d(np.arange(len(x)), held)
        danger[held] = _regression(x[rest], seen.dangerous[rest]).predict_proba(x[held])[:, 1]
    fitted = _regression(x, seen.dangerous)
    whole, part = fitted.coef_[0]
    overrulable = np.zeros(len(x), dtype=bool) if seen.overrulable is None else seen.overrulable
    mentioned = np.sort(danger[seen.dangerous & overrulable])
    may_miss = certified_misses(int(seen.dangerous.sum()))
    overruled = float(mentioned[int(OVERRULED_SHARE * may_miss)]) if len(mentioned) > may_miss else 0.0
    missed = int((mentioned < overruled).sum())
    threshold = recall_threshold(danger, seen.dangerous, seen.alarmed, may_miss - missed)
    return DangerHead(float(fitted.intercept_[0]), float(whole), float(part), threshold, min(overruled, threshold))


def certified_misses(n: int) -> int:
    """The most misses among ``n`` held-out dangerous tickets that certify `HUMAN_ONLY_RECALL` at `DELTA`, 0 if none."""
    most = int((1 - HUMAN_ONLY_RECALL) * n)
    return next((k for k in range(most, 0, -1) if error_upper_bound(k, n, DELTA) <= 1 - HUMAN_ONLY_RECALL), 0)


def recall_threshold(danger: Floats, dangerous: Mask, alarmed: Mask | None, may_miss: int | None = None) -> float:
    """The highest danger from which on rules and model together miss ``may_miss`` of the dangerous tickets.

    Without it that share of the tickets at hand is heard which `HUMAN_ONLY_RECALL` says. Infinity where the rules
    alone hear enough.
    """
    if not dangerous.any():
        return float("inf")
    if may_miss is None:
        may_miss = int((1 - HUMAN_ONLY_RECALL) * dangerous.sum())
    left = np.sort(danger[dangerous if alarmed is None else dangerous & ~alarmed])
    return float(left[may_miss]) if may_miss < len(left) else float("inf")


def _regression(x: Floats, y: Mask) -> LogisticRegression:
    return LogisticRegression(C=1.0, max_iter=1_000).fit(x, y)
