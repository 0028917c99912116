"""How good a model is: per reason, language and channel, when it speaks and when it abstains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from classifier.calibration import Floats, expected_calibration_error, reliability
from classifier.danger import may_be_overruled
from classifier.guard import starter_guard
from classifier.model import ReasonModel, Scores
from classifier.reading import read
from classifier.taxonomy import OTHER
from training.corpus import CorpusError, Example


@dataclass(frozen=True)
class LabelFigures:
    """Figures of one label: ``coverage`` is the share tagged, ``selective_error`` the share wrong among those."""

    precision: float
    recall: float
    f1: float
    n: int
    coverage: float
    selective_error: float | None


@dataclass(frozen=True)
class SliceFigures:
    """Figures of one language or channel."""

    accuracy: float
    macro_f1: float
    n: int
    coverage: float
    selective_error: float | None


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on one set of labelled tickets. ``ece`` is the expected calibration error, 0..1.

    ``reliability`` are (mean confidence, share right, n) in equally filled bins. ``unknown_auroc`` says how well
    familiarity ranks texts out of scope below the others, where some were given.
    """

    n: int
    accuracy: float
    macro_f1: float
    ece: float
    coverage: float
    selective_error: float | None
    seconds: float
    per_label: dict[str, LabelFigures]
    per_language: dict[str, SliceFigures]
    guard_recall: float | None
    guard_false_alarms: float | None
    confusions: list[tuple[str, str, int]]
    reliability: list[tuple[float, float, int]] = field(default_factory=list)
    unknown_auroc: float | None = None
    per_channel: dict[str, SliceFigures] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The public form of `paretodesk evaluate --json`."""
        return asdict(self)


@dataclass(frozen=True)
class Predictions:
    """One row per example: best label, its confidence, whether it was tagged and the guard raised. Length n."""

    truth: NDArray[np.str_]
    best: NDArray[np.str_]
    confidence: NDArray[np.float64]
    tagged: NDArray[np.bool_]
    danger: NDArray[np.bool_]
    seconds: float

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Where the best label is the true one."""
        return np.asarray(self.best == self.truth)


def alarms(examples: Sequence[Example]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which tickets the guard's rules raise, and which of these the model may overrule, both ``(n,)``."""
    guard = starter_guard()
    readings = [read(example.subject, example.body) for example in examples]
    hits = [guard.hits(reading.everything) for reading in readings]
    overrulable = [
        bool(found) and may_be_overruled(found, reading) for found, reading in zip(hits, readings, strict=True)
    ]
    return np.array([bool(found) for found in hits], dtype=bool), np.array(overrulable, dtype=bool)


def standing_alarms(
    model: ReasonModel, examples: Sequence[Example], dangers: Floats, familiarity: Floats, human_only: frozenset[str]
) -> NDArray[np.bool_]:
    """Which tickets the rules raise and the model does not overrule, ``(n,)``; as in the tagger.

    ``dangers`` are those of `ReasonModel.dangers`.
    """
    raised, overrulable = alarms(examples)
    overruled = overrulable & (dangers < model.overruled_below) & (familiarity >= model.thresholds.familiarity)
    for row in np.flatnonzero(overruled).tolist():
        overruled[row] = not model.dangerous_sentence(examples[row].text, human_only)
    standing: NDArray[np.bool_] = raised & ~overruled
    return standing


def predict(model: ReasonModel, examples: Sequence[Example], human_only: frozenset[str] = frozenset()) -> Predictions:
    """Judge every example once, as the tagger would."""
    start = time.perf_counter()
    scores = model.scores([example.text for example in examples])
    return predictions_of(model, scores, examples, human_only, time.perf_counter() - start)


def predictions_of(
    model: ReasonModel,
    scores: Scores,
    examples: Sequence[Example],
    human_only: frozenset[str] = frozenset(),
    seconds: float = 0.0,
) -> Predictions:
    """Judgements from scores at hand, such as those out of fold; ``model`` gives labels and thresholds."""
    labels, thresholds = np.array(model.labels), model.thresholds
    best = labels[scores.probabilities.argmax(axis=1)]
    confidence = scores.probabilities.max(axis=1)
    tagged = (
        (confidence >= thresholds.guarantee.threshold)
        & (scores.familiarity >= thresholds.familiarity)
        & (best != OTHER)
    )
    dangers = model.dangers(scores.probabilities, model.parts([example.text for example in examples]), human_only)
    danger = dangers >= model.raised_from
    if human_only:
        danger |= standing_alarms(model, examples, dangers, scores.familiarity, human_only)
    # As in the tagger: a raised guard contradicts an ordinary tag.
    tagged &= ~danger | np.isin(best, list(human_only))
    truth = np.array([example.reason for example in examples])
    return Predictions(truth, best, confidence, tagged, danger, seconds)


def evaluate(
    model: ReasonModel,
    examples: Sequence[Example],
    human_only: frozenset[str] = frozenset(),
    predictions: Predictions | None = None,
) -> Evaluation:
    """Measure ``model`` on labelled tickets that it has not learned from."""
    predictions = predictions or predict(model, examples, human_only)
    truth, best, tagged, correct = (
        predictions.truth,
        predictions.best,
        predictions.tagged,
        predictions.correct,
    )
    labels = sorted(set(truth) | set(best))
    precision, recall, f1, support = precision_recall_fscore_support(truth, best, labels=labels, zero_division=0)
    per_label = {}
    for i, label in enumerate(labels):
        mine = truth == label
        per_label[label] = LabelFigures(
            float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]),
            _share(tagged[mine]), _error(correct, tagged & mine),
        )  # fmt: skip
    dangerous = np.isin(truth, list(human_only))
    pairs, counts = np.unique(np.stack([truth[~correct], best[~correct]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:15]
    return Evaluation(
        n=len(truth),
        accuracy=_share(correct),
        macro_f1=_macro_f1(truth, best),
        ece=expected_calibration_error(predictions.confidence, correct),
        coverage=_share(tagged),
        selective_error=_error(correct, tagged),
        seconds=predictions.seconds,
        per_label=per_label,
        per_language=_slices([example.locale for example in examples], predictions),
        guard_recall=_share(predictions.danger[dangerous]) if dangerous.any() else None,
        guard_false_alarms=_share(predictions.danger[~dangerous]) if dangerous.any() else None,
        confusions=[(str(pairs[i][0]), str(pairs[i][1]), int(counts[i])) for i in order],
        reliability=reliability(predictions.confidence, correct),
        per_channel=_slices([example.channel for example in examples], predictions),
    )


def evaluate_with_unknown(
    model: ReasonModel, examples: Sequence[Example], unknown: str, human_only: frozenset[str] = frozenset()
) -> Evaluation:
    """`evaluate` on the examples whose label is not ``unknown``; those with it only tell how well scope is known.

    Raises `CorpusError` when either kind is missing.
    """
    known = [example for example in examples if example.reason != unknown]
    strange = [example for example in examples if example.reason == unknown]
    if not known or not strange:
        raise CorpusError(
            f"{len(strange)} of {len(examples)} rows have the label '{unknown}'; some, not all, must have it"
        )
    start = time.perf_counter()
    scores = model.scores([example.text for example in [*known, *strange]])
    of_known = Scores(scores.probabilities[: len(known)], scores.familiarity[: len(known)])
    predictions = predictions_of(model, of_known, known, human_only, time.perf_counter() - start)
    truth = np.arange(len(examples)) < len(known)
    return replace(
        evaluate(model, known, human_only, predictions), unknown_auroc=float(roc_auc_score(truth, scores.familiarity))
    )


def _slices(values: Sequence[str], predictions: Predictions) -> dict[str, SliceFigures]:
    """Figures of the tickets of each value; those without one are in none."""
    found, places = {}, np.array(values)
    for value in sorted(set(values) - {""}):
        mine = places == value
        found[value] = SliceFigures(
            _share(predictions.correct[mine]), _macro_f1(predictions.truth[mine], predictions.best[mine]),
            int(mine.sum()), _share(predictions.tagged[mine]), _error(predictions.correct, predictions.tagged & mine),
        )  # fmt: skip
    return found


def _share(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean()) if len(mask) else 0.0


def _error(correct: NDArray[np.bool_], where: NDArray[np.bool_]) -> float | None:
    return float((~correct[where]).mean()) if where.any() else None


def _macro_f1(truth: NDArray[np.str_], best: NDArray[np.str_]) -> float:
    labels = sorted(set(truth))
    return float(precision_recall_fscore_support(truth, best, labels=labels, average="macro", zero_division=0)[2])
