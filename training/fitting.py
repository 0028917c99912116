"""Fit a `ReasonModel`: heads, fusion and thresholds, everything chosen on training data by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import LinearSVC

from classifier.abstention import Guarantee, control_risk
from classifier.calibration import expected_calibration_error, fit_fusion, fuse
from classifier.encoders import Encoder, Vectors
from classifier.features import LexicalFeatures
from classifier.model import Head, ReasonModel, Scores, Thresholds, familiarity
from classifier.taxonomy import OTHER

FOLDS = 5
MIN_EXAMPLES_FOR_LEXICAL = 10
"""Below this many examples per label TF-IDF hurts (docs/adr/0003)."""
MEMORY_PER_LABEL = 64
"""Training tickets of each label that familiarity is measured against; all of them would slow every ticket."""
FAMILIARITY_QUANTILE = 0.01
"""Share of held-out known tickets that may be called unfamiliar."""
HUMAN_ONLY_RECALL = 0.98
TARGET_ERROR = 0.05
ENCODE_BATCH = 256

Progress = Callable[[str, int, int], None]
"""Called with (what is done, steps done, steps in all)."""


def silent(what: str, done: int, total: int) -> None:
    """The default progress: nobody is watching."""


class FitError(ValueError):
    """The data cannot be learned from; the message says why and what is needed."""


@dataclass(frozen=True)
class Labelled:
    """Training input: feature texts, their labels, and groups that must not be split (scenario, customer, order)."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.labels) == len(self.groups):
            raise FitError("texts, labels and groups must have the same length")

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Labelled:
        """The given rows, in that order."""
        return Labelled(*(tuple(column[i] for i in rows) for column in (self.texts, self.labels, self.groups)))


@dataclass(frozen=True)
class Settings:
    """How to fit. ``dense_c`` and ``lexical_c`` are inverse regularisation strengths of the two heads.

    The dense head is a logistic regression, the lexical one a linear SVC, which is quick to fit on 70,000 sparse
    features (docs/adr/0003).
    """

    seed: int = 20_261_121
    dense_c: float = 5.0
    lexical_c: float = 0.3
    target_error: float = TARGET_ERROR
    human_only: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fitted:
    """A model and what cross-validation on the training data said of it: calibrated scores out of fold."""

    model: ReasonModel
    out_of_fold: Scores
    calibration_error: float
    guarantees: tuple[Guarantee, ...]


def encode_all(encoder: Encoder, texts: Sequence[str], progress: Progress = silent) -> Vectors:
    """Vectors of many texts, ``float32 (n, d)``, telling how far it is."""
    parts = []
    for start in range(0, len(texts), ENCODE_BATCH):
        parts.append(encoder.encode(texts[start : start + ENCODE_BATCH]))
        progress("encoding tickets", min(start + ENCODE_BATCH, len(texts)), len(texts))
    return np.concatenate(parts) if parts else np.empty((0, encoder.dimensions), dtype=np.float32)


def fit(
    data: Labelled,
    encoder: Encoder,
    settings: Settings | None = None,
    progress: Progress = silent,
    vectors: Vectors | None = None,
    alarmed: NDArray[np.bool_] | None = None,
) -> Fitted:
    """Fit on ``data``; ``vectors`` saves encoding again. Raises `FitError` on one label or lone examples.

    ``alarmed`` marks tickets that the guard's rules raise already: its model half need only find the others.
    """
    settings = settings or Settings()
    labels, counts = np.unique(data.labels, return_counts=True)
    if len(labels) < 2:
        raise FitError(f"at least two labels are needed to tell apart; found {', '.join(labels) or 'none'}")
    if counts.min() < 2:
        lone = ", ".join(labels[counts < 2])
        raise FitError(f"each label needs at least 2 examples; add examples of: {lone}")
    y = np.searchsorted(labels, data.labels)
    if vectors is None:
        vectors = encode_all(encoder, data.texts, progress)
    use_lexical = len(data) / len(labels) >= MIN_EXAMPLES_FOR_LEXICAL

    folds = _folds(data, y, min(FOLDS, int(counts.min())), settings.seed)
    heads: list[NDArray[np.float32]] = [np.zeros((len(data), len(labels)), np.float32) for _ in range(1 + use_lexical)]
    known = np.zeros(len(data), dtype=np.float32)
    for turn, (train, held) in enumerate(folds):
        progress("cross-validating", turn, len(folds) + 1)
        parts = _fit_heads(data.take(train).texts, vectors[train], y[train], len(labels), use_lexical, settings)
        heads[0][held] = parts.dense.log_probabilities(vectors[held])
        if parts.lexical and parts.features:
            features = parts.features.transform([data.texts[i] for i in held])
            heads[1][held] = parts.lexical.log_probabilities(features)
        known[held] = familiarity(vectors[held], _memory(vectors[train], y[train], settings.seed))
    progress("cross-validating", len(folds), len(folds) + 1)
    fusion = fit_fusion(heads, y)
    out_of_fold = np.exp(fuse(heads, fusion))
    thresholds, guarantees = _thresholds(out_of_fold, known, y, tuple(labels), settings, alarmed)
    final = _fit_heads(data.texts, vectors, y, len(labels), use_lexical, settings)
    progress("cross-validating", len(folds) + 1, len(folds) + 1)
    correct = out_of_fold.argmax(axis=1) == y
    return Fitted(
        ReasonModel(
            labels=tuple(str(label) for label in labels),
            encoder=encoder,
            dense=final.dense,
            lexical=final.lexical,
            lexical_features=final.features,
            fusion=fusion,
            memory=_memory(vectors, y, settings.seed),
            thresholds=thresholds,
        ),
        Scores(out_of_fold, known),
        expected_calibration_error(out_of_fold.max(axis=1), correct),
        guarantees,
    )


def _memory(vectors: Vectors, y: NDArray[np.int64], seed: int) -> Vectors:
    """Up to `MEMORY_PER_LABEL` vectors of each label, to measure familiarity against."""
    order = np.random.default_rng(seed).permutation(len(y))
    kept = np.concatenate([order[y[order] == label][:MEMORY_PER_LABEL] for label in np.unique(y)])
    memory: Vectors = vectors[np.sort(kept)]
    return memory


def _folds(
    data: Labelled, y: NDArray[np.int64], n: int, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    n_groups = len(set(data.groups))
    folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    if n_groups > 1:
        splitter = StratifiedGroupKFold(n_splits=max(2, min(n, n_groups)), shuffle=True, random_state=seed)
        folds = list(splitter.split(np.zeros(len(data)), y, groups=data.groups))
    if not folds or any(len(np.unique(y[train])) < 2 for train, _ in folds):
        raise FitError(
            "the examples of a label all belong together (equal texts, one customer or order), so that none can be "
            "held out to measure on; add examples of other cases"
        )
    return folds


@dataclass(frozen=True)
class _Heads:
    dense: Head
    lexical: Head | None
    features: LexicalFeatures | None


def _fit_heads(
    texts: Sequence[str],
    vectors: Vectors,
    y: NDArray[np.int64],
    k: int,
    use_lexical: bool,
    settings: Settings,
) -> _Heads:
    dense = _linear(LogisticRegression(C=settings.dense_c, max_iter=300, tol=1e-3), vectors, y, k)
    if not use_lexical:
        return _Heads(dense, None, None)
    features = LexicalFeatures().fit(texts)
    machine = LinearSVC(C=settings.lexical_c, random_state=settings.seed % 2**31)
    return _Heads(dense, _linear(machine, features.transform(texts), y, k), features)


def _linear(estimator: Any, features: Any, y: NDArray[np.int64], k: int) -> Head:
    """A fitted linear estimator as a head; labels absent from ``y`` get probability next to zero."""
    fitted = estimator.fit(features, y)
    coefficients = np.zeros((features.shape[1], k), dtype=np.float32)
    intercept = np.full(k, -20.0, dtype=np.float32)
    if len(fitted.classes_) == 2:
        coefficients[:, fitted.classes_] = np.stack([-fitted.coef_[0] / 2, fitted.coef_[0] / 2], axis=1)
        intercept[fitted.classes_] = [-fitted.intercept_[0] / 2, fitted.intercept_[0] / 2]
    else:
        coefficients[:, fitted.classes_] = fitted.coef_.T
        intercept[fitted.classes_] = fitted.intercept_
    return Head(coefficients, intercept)


def _thresholds(
    probabilities: NDArray[np.float64],
    known: NDArray[np.float32],
    y: NDArray[np.int64],
    labels: tuple[str, ...],
    settings: Settings,
    alarmed: NDArray[np.bool_] | None,
) -> tuple[Thresholds, tuple[Guarantee, ...]]:
    best = probabilities.argmax(axis=1)
    correct = best == y
    named = np.array([label != OTHER for label in labels])
    floor = float(np.quantile(known[named[y]], FAMILIARITY_QUANTILE)) if named[y].any() else 0.0
    # What the tagger will call undecided anyway can neither be right nor wrong: it gets no confidence.
    confidence = np.where(named[best] & (known >= floor), probabilities.max(axis=1), 0.0)
    guarantees = tuple(control_risk(confidence, correct, target) for target in sorted({0.02, settings.target_error}))
    chosen = next(g for g in guarantees if g.target == settings.target_error)
    human_only = np.array([label in settings.human_only for label in labels])
    return Thresholds(chosen, floor, _recall_threshold(probabilities, human_only, y, alarmed)), guarantees


def _recall_threshold(
    probabilities: NDArray[np.float64],
    human_only: NDArray[np.bool_],
    y: NDArray[np.int64],
    alarmed: NDArray[np.bool_] | None,
) -> float:
    """The highest probability of danger at which rules and model together raise `HUMAN_ONLY_RECALL` of the guard."""
    dangerous = human_only[y]
    if not dangerous.any():
        return float("inf")
    danger = probabilities[:, human_only].sum(axis=1)
    raised = np.zeros(len(y), dtype=bool) if alarmed is None else alarmed
    missed = np.sort(danger[dangerous & ~raised])
    may_miss = int((1 - HUMAN_ONLY_RECALL) * dangerous.sum())
    return float(missed[may_miss]) if may_miss < len(missed) else float("inf")
