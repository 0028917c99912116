"""Probabilities that mean what they say: fusion weights with temperature, a map of confidence, calibration error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import log_softmax

Floats = NDArray[np.floating]
Method = Literal["temperature", "isotonic", "venn_abers"]
METHODS: tuple[Method, ...] = get_args(Method)
"""Ways to calibrate, simplest first; the simplest wins a tie. Temperature is what the fusion's weights hold already."""


def fuse(log_probabilities: Sequence[Floats], weights: Sequence[float]) -> NDArray[np.float64]:
    """Log-linear pool of several heads, ``(n, k)`` log-probabilities.

    The weights' sum is an inverse temperature (Guo et al. 2017, arXiv:1706.04599), their ratio the trust in each head.
    """
    pooled = sum(weight * head for weight, head in zip(weights, log_probabilities, strict=True))
    return np.asarray(log_softmax(pooled, axis=1), dtype=np.float64)


def fit_fusion(log_probabilities: Sequence[Floats], labels: NDArray[np.int64]) -> tuple[float, ...]:
    """Weights that minimise the negative log-likelihood of out-of-fold predictions; none is negative."""
    rows = np.arange(len(labels))

    def loss(weights: NDArray[np.float64]) -> float:
        return float(-fuse(log_probabilities, list(weights))[rows, labels].mean())

    start = np.full(len(log_probabilities), 1.0 / len(log_probabilities))
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0.0, 20.0)] * len(log_probabilities))
    return tuple(float(weight) for weight in found.x)


@dataclass(frozen=True)
class ConfidenceMap:
    """Confidence as the fusion gives it -> share that is right: straight lines between rising ``knots (m, 2)``.

    Without knots confidence stays as it is (``temperature``).
    """

    method: Method = "temperature"
    knots: tuple[tuple[float, float], ...] = ()

    def __call__(self, confidence: Floats) -> Floats:
        """Calibrated confidence, in the order of the given one."""
        if not self.knots:
            return confidence
        scores, values = zip(*self.knots, strict=True)
        return np.asarray(np.interp(confidence, scores, values))

    def apply(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows ``(n, k)``: the highest probability calibrated, the others share the rest; the best stays best."""
        if not self.knots or not len(probabilities):
            return probabilities
        rows, best = np.arange(len(probabilities)), probabilities.argmax(axis=1)
        others = probabilities.copy()
        others[rows, best] = 0.0
        rest, second = others.sum(axis=1), others.max(axis=1)
        # Not below what the runner-up would then get: c >= (1 - c) * second / rest.
        share = np.divide(second, rest, out=np.zeros_like(rest), where=rest > 0)
        top = np.maximum(self(probabilities[rows, best]), share / (1 + share) + 1e-6)
        others *= np.divide(1 - top, rest, out=np.zeros_like(rest), where=rest > 0)[:, None]
        others[rows, best] = np.where(rest > 0, top, 1.0)
        return others


def fit_confidence_map(
    confidence: Floats, correct: NDArray[np.bool_], folds: Sequence[NDArray[np.int64]]
) -> tuple[ConfidenceMap, dict[Method, float]]:
    """The map that best predicts, in folds it did not see, whether the best label is right; log-loss of each one.

    ``folds`` are the rows of each held-out part.
    """
    losses: dict[Method, float] = {}
    for method in METHODS:
        predicted = np.empty(len(confidence))
        for held in folds:
            train = np.setdiff1d(np.arange(len(confidence)), held)
            predicted[held] = _fit_map(method, confidence[train], correct[train])(confidence[held])
        clipped = np.clip(predicted, 1e-6, 1 - 1e-6)
        losses[method] = float(-np.where(correct, np.log(clipped), np.log1p(-clipped)).mean())
    best = min(METHODS, key=lambda method: (round(losses[method], 4), METHODS.index(method)))
    return _fit_map(best, confidence, correct), losses


def _fit_map(method: Method, confidence: Floats, correct: NDArray[np.bool_]) -> ConfidenceMap:
    if method == "temperature":
        return ConfidenceMap()
    # One right and one wrong beyond both ends: no confidence is calibrated to 0 or 1 (Laplace).
    order = np.argsort(confidence)
    bins = [part for part in np.array_split(order, min(_BINS, len(order))) if len(part)]
    scores = np.array([0.0, *(confidence[part].mean() for part in bins), 1.0])
    truths = np.array([1.0, *(correct[part].mean() for part in bins), 0.0])
    weights = np.array([1.0, *map(len, bins), 1.0])
    if method == "isotonic":
        return ConfidenceMap(method, _knots(scores, isotonic_regression(truths, weights=weights).x))
    # Inductive Venn-Abers (Vovk, Petej & Fedorova 2015, arXiv:1511.00213) on a grid of quantiles, p0 and p1 merged
    # to the probability with the least regret under log-loss.
    grid = np.unique(np.quantile(confidence, np.linspace(0, 1, _VENN_GRID)))
    merged = []
    for score in grid:
        place = int(np.searchsorted(scores, score))
        ends = [
            float(isotonic_regression(np.insert(truths, place, truth), weights=np.insert(weights, place, 1.0)).x[place])
            for truth in (0.0, 1.0)
        ]
        merged.append(ends[1] / (1 - ends[0] + ends[1]))
    return ConfidenceMap(method, _knots(grid, np.maximum.accumulate(merged)))


_VENN_GRID = 50
_BINS = 400
"""Confidences are pooled into so many equal bins first: finer steps change nothing and cost a minute."""


def _knots(scores: Floats, values: Floats) -> tuple[tuple[float, float], ...]:
    """One knot for each flat step, at the middle of its scores, so that lines between them rise."""
    return tuple(
        (float(np.median(scores[values == value])), min(max(float(value), 1e-4), 1 - 1e-4))
        for value in np.unique(values)
    )


def reliability(confidence: Floats, correct: NDArray[np.bool_], bins: int = 10) -> list[tuple[float, float, int]]:
    """The reliability diagram's points: mean confidence, share right and n, in ``bins`` equally filled bins."""
    order = np.argsort(confidence)
    return [
        (float(confidence[part].mean()), float(correct[part].mean()), len(part))
        for part in np.array_split(order, min(bins, max(len(order), 1)))
        if len(part)
    ]


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over ``bins`` equally filled bins (Nguyen & O'Connor 2015), 0..1."""
    if not len(confidence):
        return float("nan")
    order = np.argsort(confidence)
    gaps = [
        len(part) * abs(float(confidence[part].mean()) - float(correct[part].mean()))
        for part in np.array_split(order, min(bins, len(order)))
    ]
    return sum(gaps) / len(confidence)
