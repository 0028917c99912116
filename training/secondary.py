"""Fit and judge the search for further reasons in a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold

from classifier.encoders import Vectors
from classifier.model import ReasonModel
from classifier.secondary import SecondaryHead, log_odds, parts_of
from classifier.taxonomy import OTHER

MIN_READ = 100
"""Tickets read for further reasons that are needed to learn from."""
FOLDS = 5
PRECISION = 0.7
"""Of the further reasons named, so many shall be right: a wrong one costs an agent a glance."""
MIN_SAID = 20
"""Precision of fewer is luck."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SecondaryFigures:
    """How well further reasons are found in ``n`` tickets read for them, which ask for ``asked`` of them.

    ``precision`` and ``recall`` are those at the threshold, None where nothing was said or asked; ``calibration_error``
    is the mean gap between the stated probability of what was said and the share that was right.
    """

    n: int
    asked: int
    precision: float | None
    recall: float | None
    average_precision: float | None
    calibration_error: float | None


def fit_secondary(
    unaware: ReasonModel,
    texts: Sequence[str],
    vectors: Vectors,
    labels: Sequence[str],
    further: Sequence[Sequence[str]],
    groups: Sequence[str],
) -> SecondaryHead | None:
    """Fit on tickets that ``unaware`` never learned from; in folds by ``groups`` `PRECISION` is kept at the threshold.

    None where no ticket asks for anything else, or all belong to one group.
    """
    asked = asked_for(unaware.labels, labels, further)
    if unaware.lexical is None or unaware.lexical_features is None or len(set(groups)) < FOLDS:
        return None
    probabilities = unaware.scores_of(texts, vectors).probabilities
    part = parts_of(texts, unaware.lexical, unaware.lexical_features).best()
    open_ = _candidates(unaware, probabilities)
    x = np.stack([log_odds(probabilities)[open_], log_odds(part)[open_]], axis=1)
    y = asked[open_]
    owners = np.nonzero(open_)[0]
    folds = list(GroupKFold(FOLDS).split(x, y, groups=np.array(groups)[owners]))
    if any(not y[train].any() for train, _ in folds):
        return None
    held_out = np.empty(len(y))
    for train, held in folds:
        held_out[held] = _regression(x[train], y[train]).predict_proba(x[held])[:, 1]
    fitted = _regression(x, y)
    whole, of_part = fitted.coef_[0]
    return SecondaryHead(float(fitted.intercept_[0]), float(whole), float(of_part), _threshold(held_out, y))


def asked_for(columns: Sequence[str], labels: Sequence[str], further: Sequence[Sequence[str]]) -> Mask:
    """Which of ``columns`` each ticket asks for, ``(n, k)``: its own label and the further ones."""
    place = {label: column for column, label in enumerate(columns)}
    asked = np.zeros((len(labels), len(columns)), dtype=bool)
    for row, (label, more) in enumerate(zip(labels, further, strict=True)):
        asked[row, [place[name] for name in (label, *more) if name in place]] = True
    return asked


def evaluate_secondary(
    model: ReasonModel, texts: Sequence[str], labels: Sequence[str], further: Sequence[Sequence[str]]
) -> SecondaryFigures:
    """Measure on tickets read for further reasons. The best reason, even a wrong one, is not counted again."""
    asked = asked_for(model.labels, labels, further)
    probabilities = model.scores(texts).probabilities
    open_ = _candidates(model, probabilities)
    stated, y = model.further(texts, probabilities)[open_], asked[open_]
    said = stated >= (model.secondary.threshold if model.secondary else np.inf)
    return SecondaryFigures(
        n=len(texts),
        asked=int(y.sum()),
        precision=float(y[said].mean()) if said.any() else None,
        recall=float(said[y].mean()) if y.any() else None,
        average_precision=float(average_precision_score(y, stated)) if y.any() else None,
        calibration_error=abs(float(stated[said].mean() - y[said].mean())) if said.any() else None,
    )


def _candidates(model: ReasonModel, probabilities: NDArray[np.float64]) -> Mask:
    """Every label that may be a further one: not the best one, and not `other`."""
    open_ = np.tile([label != OTHER for label in model.labels], (len(probabilities), 1))
    open_[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = False
    return open_


def _regression(x: NDArray[np.float64], y: Mask) -> LogisticRegression:
    return LogisticRegression(C=1.0, max_iter=1_000).fit(x, y)


def _threshold(probability: NDArray[np.float64], y: Mask) -> float:
    """The lowest probability from which on `PRECISION` is kept, or that of the best precision."""
    order = np.argsort(-probability)
    precision = np.cumsum(y[order]) / np.arange(1, len(y) + 1)
    kept = np.flatnonzero(precision[MIN_SAID - 1 :] >= PRECISION)
    last = int(kept[-1] if len(kept) else precision[MIN_SAID - 1 :].argmax()) + MIN_SAID - 1
    return float(probability[order][last])
