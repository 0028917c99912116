"""Why a tag: the words and sentences that moved it, and the labelled tickets that it resembles."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from classifier.encoders import Vectors
from classifier.heads import KernelHead
from classifier.model import ReasonModel
from classifier.sentences import sentence_spans

MAX_SENTENCES = 12
"""Sentences that are left out one by one; each costs one encoding."""


@dataclass(frozen=True)
class Effect:
    """A word or sentence and what it adds to the log-odds of the tag against the runner-up."""

    text: str
    effect: float


@dataclass(frozen=True)
class NearTicket:
    """A labelled ticket of the training data and its ``similarity``, 0..1."""

    label: str
    text: str
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """Why ``label`` and not ``against``.

    ``words`` are the exact additive contributions of the linear lexical head, strongest first; ``sentences`` say by
    how much the whole model's log-odds fall without each; ``nearest`` are tickets that the kernel head compares with.
    """

    label: str
    against: str
    log_odds: float
    words: tuple[Effect, ...]
    sentences: tuple[Effect, ...]
    nearest: tuple[NearTicket, ...]

    def to_json(self) -> dict[str, Any]:
        """For `paretodesk explain --json` and `POST /v1/explain`."""
        return asdict(self)


def explain(model: ReasonModel, text: str, words: int = 8, nearest: int = 5) -> Explanation:
    """Explain the best label of a feature text (see `classifier.features.feature_text`)."""
    found = sentence_spans(text)
    sentences = found[:MAX_SENTENCES] if len(found) > 1 else []
    texts = [text, *(text[:start] + text[end:] for start, end in sentences)]
    vectors = model.encoder.encode(texts)
    probabilities = np.log(np.maximum(model.scores_of(texts, vectors).probabilities, 1e-9))
    best, second = np.argsort(-probabilities[0])[:2]
    odds = probabilities[:, best] - probabilities[:, second]
    effects = [
        Effect(text[start:end].strip(), round(float(odds[0] - left), 3))
        for (start, end), left in zip(sentences, odds[1:], strict=True)
    ]
    return Explanation(
        label=model.labels[best],
        against=model.labels[second],
        log_odds=round(float(odds[0]), 3),
        words=tuple(word_effects(model, text, int(best), int(second))[:words]),
        sentences=tuple(effects),
        nearest=_nearest(model, vectors[:1], nearest),
    )


def word_effects(model: ReasonModel, text: str, best: int, second: int) -> list[Effect]:
    """What each word adds to the lexical head's fused log-odds of column ``best`` against ``second``, strongest first.

    Their sum is the head's difference without its intercepts: each term's contribution is shared among the words that
    it occurs in.
    """
    if model.lexical is None or model.lexical_features is None:
        return []
    pull = model.lexical.coefficients[:, best] - model.lexical.coefficients[:, second]
    row = model.lexical_features.transform([text])
    contribution = dict(
        zip(row.indices.tolist(), (row.data * pull[row.indices] * model.fusion[1]).tolist(), strict=True)
    )
    occurrences = model.lexical_features.occurrences(text)
    times = Counter(column for column, _ in occurrences)
    effects: Counter[int] = Counter()
    for column, place in occurrences:
        effects[place] += contribution.get(column, 0.0) / times[column]
    shown = text.split()
    merged: Counter[str] = Counter()
    for place, effect in effects.items():
        merged[shown[place]] += effect
    return [Effect(word, round(effect, 3)) for word, effect in sorted(merged.items(), key=lambda item: -abs(item[1]))]


def _nearest(model: ReasonModel, vector: Vectors, n: int) -> tuple[NearTicket, ...]:
    if not isinstance(model.dense, KernelHead) or not model.remembered:
        return ()
    similarities = model.dense.similarities(vector)[0, : len(model.remembered)]
    return tuple(
        NearTicket(model.remembered[i].label, model.remembered[i].text, round(float(similarities[i]), 3))
        for i in np.argsort(-similarities)[:n]
    )
