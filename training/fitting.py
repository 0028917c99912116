"""Fit a `ReasonModel`: heads, fusion and thresholds, everything chosen on training data by cross-validation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import LinearSVC

from classifier.abstention import Guarantee, control_risk
from classifier.calibration import Method, expected_calibration_error, fit_confidence_map, fit_fusion, fuse
from classifier.encoders import Encoder, Vectors
from classifier.features import LexicalFeatures
from classifier.heads import LinearHead, log_evidence
from classifier.model import ReasonModel, Remembered, Scores, Thresholds
from classifier.secondary import parts_of
from classifier.taxonomy import OTHER
from training.danger import Evidence, fit_danger, recall_threshold
from training.kernel import Fold, fit_kernel
from training.secondary import MIN_READ, fit_secondary

FOLDS = 5
MIN_EXAMPLES_FOR_LEXICAL = 10
"""Below this many examples per label TF-IDF hurts (docs/adr/0003)."""
NAMES_BELOW = 20
"""With fewer examples per label the labels' own names are learned from too: +1 point with 10 (docs/adr/0012)."""
EXCERPT = 160
"""Characters of a training ticket that the model keeps to explain itself."""
FAMILIARITY_QUANTILE = 0.01
"""Share of held-out known tickets that may be called unfamiliar."""
TARGET_ERROR = 0.05
ENCODE_BATCH = 256

_LABEL_BREAKS = re.compile(r"[_\W]+")
Progress = Callable[[str, int, int], None]
"""Called with (what is done, steps done, steps in all)."""


def silent(what: str, done: int, total: int) -> None:
    """The default progress: nobody is watching."""


class FitError(ValueError):
    """The data cannot be learned from; the message says why and what is needed."""


@dataclass(frozen=True)
class Labelled:
    """Training input: feature texts, their labels, and groups that must not be split (scenario, customer, order).

    ``further`` are the other labels that hold for a text, None where nobody looked; empty: nobody looked at all.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    further: tuple[tuple[str, ...] | None, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.labels) == len(self.groups):
            raise FitError("texts, labels and groups must have the same length")
        if len(self.further) not in (0, len(self.texts)):
            raise FitError("further labels are told for all texts (None where nobody looked) or for none")

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Labelled:
        """The given rows, in that order."""
        further = tuple(self.further[i] for i in rows) if self.further else ()
        texts, labels, groups = (tuple(column[i] for i in rows) for column in (self.texts, self.labels, self.groups))
        return Labelled(texts, labels, groups, further)

    @property
    def read_for_further(self) -> NDArray[np.int64]:
        """Rows of the texts whose further labels are known."""
        return np.flatnonzero([more is not None for more in self.further])


@dataclass(frozen=True)
class Settings:
    """How to fit. ``lexical_c`` is the lexical head's inverse regularisation strength.

    The dense head is a kernel ridge regression (docs/adr/0012), the lexical one a linear SVC, which is quick to fit on
    70,000 sparse features (docs/adr/0003).
    """

    seed: int = 20_261_121
    lexical_c: float = 0.3
    target_error: float = TARGET_ERROR
    human_only: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fitted:
    """A model and what cross-validation on the training data said of it: calibrated scores out of fold.

    ``truth (n,)`` are the labels' columns. ``calibration`` is the log-loss of each way to calibrate confidence, in
    folds that it did not see.
    """

    model: ReasonModel
    out_of_fold: Scores
    truth: NDArray[np.int64]
    calibration_error: float
    calibration: dict[Method, float]
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
    overrulable: NDArray[np.bool_] | None = None,
) -> Fitted:
    """Fit on ``data``; ``vectors`` saves encoding again. Raises `FitError` on one label or lone examples.

    ``alarmed`` marks tickets that the guard's rules raise already: its model half need only find the others.
    ``overrulable`` marks those among them that a model which is sure of an ordinary ticket may overrule.
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
    few = len(data) / len(labels) < NAMES_BELOW

    folds = _folds(data, y, min(FOLDS, int(counts.min())), settings.seed)
    steps = 1 + (len(folds) + 1) * use_lexical
    progress("fitting", 0, steps)
    names = encoder.encode([_LABEL_BREAKS.sub(" ", label) for label in labels]) if few else None
    try:
        aside = data.read_for_further
        kernel = fit_kernel(vectors, y, len(labels), folds, settings.seed, names, aside)
    except np.linalg.LinAlgError as error:
        raise FitError(f"{error}; remove texts that stand there many times") from error
    progress("fitting", 1, steps)
    heads = [log_evidence(kernel.held_out)]
    lexical = features = in_part = None
    human_only = np.array([label in settings.human_only for label in labels])
    if use_lexical:
        in_part = np.empty(len(data))
        heads.append(np.empty((len(data), len(labels)), dtype=np.float32))
        for turn, (train, held) in enumerate(folds):
            part, found = _fit_lexical([data.texts[i] for i in train], y[train], len(labels), settings)
            held_texts = [data.texts[i] for i in held]
            heads[1][held] = part.log_probabilities(found.transform(held_texts))
            in_part[held] = parts_of(held_texts, part, found).best_of_any(human_only) if human_only.any() else 0.0
            progress("fitting", 2 + turn, steps)
        lexical, features = _fit_lexical(data.texts, y, len(labels), settings)
        progress("fitting", steps, steps)
    fusion = fit_fusion(heads, y)
    fused = np.exp(fuse(heads, fusion))
    correct = fused.argmax(axis=1) == y
    confidence_map, calibration = fit_confidence_map(fused.max(axis=1), correct, [held for _, held in folds])
    out_of_fold = Scores(confidence_map.apply(fused), kernel.held_out.max(axis=1))
    thresholds, guarantees = _thresholds(out_of_fold, y, tuple(labels), settings, alarmed)
    model = ReasonModel(
        labels=tuple(str(label) for label in labels),
        encoder=encoder,
        dense=kernel.head,
        lexical=lexical,
        lexical_features=features,
        fusion=fusion,
        confidence_map=confidence_map,
        thresholds=thresholds,
        remembered=tuple(Remembered(str(data.labels[i]), data.texts[i][:EXCERPT]) for i in kernel.kept),
    )
    if in_part is not None and alarmed is not None:
        whole = out_of_fold.probabilities[:, human_only].sum(axis=1)
        asked = human_only[y] | np.array(
            [bool(settings.human_only & {*(more or ())}) for more in data.further or [()] * len(y)]
        )
        seen = Evidence(whole, in_part, asked, alarmed, overrulable)
        model = replace(model, danger=fit_danger(seen, [held for _, held in folds]))
    rest = np.setdiff1d(np.arange(len(data)), aside)
    if use_lexical and len(aside) >= MIN_READ and len(np.unique(y[rest])) > 1:
        part, found = _fit_lexical([data.texts[i] for i in rest], y[rest], len(labels), settings)
        unaware = replace(model, dense=kernel.without, lexical=part, lexical_features=found)
        read = data.take(aside)
        further = [more or () for more in read.further]
        secondary = fit_secondary(unaware, read.texts, vectors[aside], read.labels, further, read.groups)
        model = replace(model, secondary=secondary)
    return Fitted(
        model,
        out_of_fold,
        y,
        expected_calibration_error(out_of_fold.probabilities.max(axis=1), correct),
        calibration,
        guarantees,
    )


def _folds(data: Labelled, y: NDArray[np.int64], n: int, seed: int) -> list[Fold]:
    n_groups = len(set(data.groups))
    folds: list[Fold] = []
    if n_groups > 1:
        splitter = StratifiedGroupKFold(n_splits=max(2, min(n, n_groups)), shuffle=True, random_state=seed)
        folds = list(splitter.split(np.zeros(len(data)), y, groups=data.groups))
    if not folds or any(len(np.unique(y[train])) < 2 for train, _ in folds):
        raise FitError(
            "the examples of a label all belong together (equal texts, one customer or order), so that none can be "
            "held out to measure on; add examples of other cases"
        )
    return folds


def _fit_lexical(
    texts: Sequence[str], y: NDArray[np.int64], k: int, settings: Settings
) -> tuple[LinearHead, LexicalFeatures]:
    features = LexicalFeatures().fit(texts)
    machine = LinearSVC(C=settings.lexical_c, random_state=settings.seed % 2**31)
    return _linear(machine, features.transform(texts), y, k), features


def _linear(estimator: Any, features: Any, y: NDArray[np.int64], k: int) -> LinearHead:
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
    return LinearHead(coefficients, intercept)


def _thresholds(
    scores: Scores,
    y: NDArray[np.int64],
    labels: tuple[str, ...],
    settings: Settings,
    alarmed: NDArray[np.bool_] | None,
) -> tuple[Thresholds, tuple[Guarantee, ...]]:
    probabilities, known = scores.probabilities, scores.familiarity
    best = probabilities.argmax(axis=1)
    correct = best == y
    named = np.array([label != OTHER for label in labels])
    floor = float(np.quantile(known[named[y]], FAMILIARITY_QUANTILE)) if named[y].any() else 0.0
    # What the tagger will call undecided anyway can neither be right nor wrong: it gets no confidence.
    confidence = np.where(named[best] & (known >= floor), probabilities.max(axis=1), 0.0)
    guarantees = tuple(control_risk(confidence, correct, target) for target in sorted({0.02, settings.target_error}))
    chosen = next(g for g in guarantees if g.target == settings.target_error)
    human_only = np.array([label in settings.human_only for label in labels])
    danger = probabilities[:, human_only].sum(axis=1)
    return Thresholds(chosen, floor, recall_threshold(danger, human_only[y], alarmed)), guarantees
