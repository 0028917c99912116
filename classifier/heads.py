"""The model's heads: what each reads of a ticket and how it turns that into log-probabilities of the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from classifier.encoders import Vectors

Floats = NDArray[np.float32]

BANDWIDTH = 1.0
"""Gamma of the Gaussian kernel between unit vectors; 0.5 to 1.5 score alike (docs/adr/0012)."""
FLOOR = 0.02
"""Least probability that the kernel head gives a label: its evidence is a mean of labels and may be 0 or below. Values
from 0.01 to 0.05 calibrate alike on BANKING77's training split (docs/adr/0012)."""
FORMAT_1_NEIGHBOURS = 5


class DenseHead(Protocol):
    """Judges sentence vectors ``float32 (n, d)``."""

    def judge(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """Log-probabilities ``(n, k)``, up to a constant of each row, and familiarity ``(n,)``.

        Familiarity says how far a text lies within what was learned, apart from which label it has; it ranks
        out-of-scope texts, where probability ranks errors.
        """
        ...


@dataclass(frozen=True)
class LinearHead:
    """One linear model: ``coefficients float32 (features, k)``, ``intercept float32 (k,)``."""

    coefficients: Floats
    intercept: Floats

    def log_probabilities(self, features: Any) -> Floats:
        """``(n, k)`` for dense or sparse ``(n, features)``."""
        scores: Floats = log_softmax(features @ self.coefficients + self.intercept, axis=1)
        return scores


@dataclass(frozen=True)
class Projection:
    """Centre and principal axes: ``centre (d,)``, ``axes (d, p)``; without axes only the centre is taken off."""

    centre: Floats
    axes: Floats | None

    def __call__(self, vectors: Vectors) -> Floats:
        """``float32 (n, p)``, unit length."""
        moved = vectors - self.centre
        if self.axes is not None:
            moved = moved @ self.axes
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(norms, 1e-6), dtype=np.float32)


@dataclass(frozen=True)
class KernelHead:
    """Kernel ridge regression of the one-hot labels on the training tickets themselves.

    Its prediction estimates P(label | text) where tickets are near and fades to 0 away from all of them, so that the
    highest evidence tells how familiar a text is. ``memory (m, p)`` are projected training vectors, ``coefficients
    (m, k)`` the dual solution; each training ticket adds ``similarity * coefficient`` to a label's evidence.
    """

    projection: Projection
    memory: Floats
    coefficients: Floats

    def similarities(self, vectors: Vectors) -> Floats:
        """Gaussian kernel to every ticket in memory, ``(n, m)``, in 0..1."""
        return gaussian(self.projection(vectors), self.memory)

    def judge(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """See `DenseHead.judge`."""
        evidence = self.similarities(vectors) @ self.coefficients
        return log_evidence(evidence), evidence.max(axis=1)


def gaussian(left: Floats, right: Floats) -> Floats:
    """``exp(-BANDWIDTH |x - y|²)`` between rows of unit length, ``float32 (n, m)``."""
    cosines: Floats = left @ right.T
    cosines -= 1.0
    cosines *= np.float32(2.0 * BANDWIDTH)
    np.exp(cosines, out=cosines)
    return cosines


def log_evidence(evidence: Floats) -> Floats:
    """Evidence, a regression on one-hot labels, as log-probability."""
    return np.log(np.maximum(evidence, 0.0) + np.float32(FLOOR))


@dataclass(frozen=True)
class LogisticHead:
    """The dense head of model format 1: logistic regression, familiarity as mean cosine to the nearest memory."""

    linear: LinearHead
    memory: Vectors

    def judge(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """See `DenseHead.judge`."""
        k = min(FORMAT_1_NEIGHBOURS, len(self.memory))
        nearest: Floats = np.partition(vectors @ self.memory.T, -k, axis=1)[:, -k:].mean(axis=1)
        return self.linear.log_probabilities(vectors), nearest
