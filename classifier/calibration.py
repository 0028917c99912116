"""Probabilities that mean what they say: fusion weights with temperature, expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

Floats = NDArray[np.floating]


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
