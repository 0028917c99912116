"""`kb evaluate`: how often search finds the article that answers, and how well it knows when none does.

Sources: reciprocal rank fusion with k = 60 is Cormack, Clarke and Büttcher 2009 (doi:10.1145/1571941.1572114), the
score interval Wilson 1927, the expected calibration error Guo et al. 2017 (arXiv:1706.04599) in ten equal bins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from classifier.encoders import Vectors
from kb.articles import Passage
from kb.content import ContentError
from kb.questions import Part, Question, unknown_articles
from kb.search import LOOKED_AT, HybridSearch
from kb.shelf import Scores

DENSE = "dense alone"
LEXICAL = "lexical alone"
FUSION = "reciprocal rank fusion"
ARTICLES = "ours without known questions"
OURS = "ours"

_FUSION_K = 60
_BINS = 10
_THRESHOLDS = tuple(step / 20 for step in range(21))


@dataclass(frozen=True)
class Share:
    """A share of ``of`` questions with its Wilson interval of 95%; all 0..1, nan of none."""

    value: float
    low: float
    high: float
    of: int

    @classmethod
    def count(cls, hits: int, of: int) -> Share:
        """``hits`` in ``of``."""
        if not of:
            return cls(float("nan"), 0.0, 1.0, 0)
        interval = binomtest(hits, of).proportion_ci(0.95, method="wilson")
        return cls(hits / of, float(interval.low), float(interval.high), of)

    def to_json(self) -> dict[str, Any]:
        """Plain data; a share of nothing is null."""
        return {
            "value": round(self.value, 4) if self.of else None,
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "of": self.of,
        }


@dataclass(frozen=True)
class Found:
    """How well one method finds the right article of questions that have one.

    An article stands where its best passage stands; ``mrr`` is the mean of 1 / that rank.
    """

    method: str
    recall_at_1: Share
    recall_at_3: Share
    mrr: float

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "method": self.method,
            "recall_at_1": self.recall_at_1.to_json(),
            "recall_at_3": self.recall_at_3.to_json(),
            "mrr": round(self.mrr, 4),
        }


@dataclass(frozen=True)
class Answering:
    """Of all questions, those answered from ``threshold`` on, and how many of those answers are right."""

    threshold: float
    coverage: Share
    precision: Share

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "threshold": self.threshold,
            "coverage": self.coverage.to_json(),
            "precision": self.precision.to_json(),
        }


@dataclass(frozen=True)
class SearchReport:
    """What `kb evaluate` prints."""

    part: Part
    questions: int
    methods: tuple[Found, ...]
    locales: Mapping[str, Found]
    won: int
    """Questions whose article ours finds first and dense search alone does not."""
    lost: int
    """... and the other way round."""
    auroc: float
    """That an answerable question's best result has a higher probability than an unanswerable one's."""
    ece: float
    """Mean distance between the probability of the best result and how often it is right."""
    in_force: Answering
    curve: tuple[Answering, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; what cannot be computed is null."""
        return {
            "part": self.part.value,
            "questions": self.questions,
            "methods": [found.to_json() for found in self.methods],
            "locales": {locale: found.to_json() for locale, found in self.locales.items()},
            "against_dense": {"won": self.won, "lost": self.lost},
            "auroc": round(self.auroc, 4) if np.isfinite(self.auroc) else None,
            "ece": round(self.ece, 4),
            "in_force": self.in_force.to_json(),
            "curve": [point.to_json() for point in self.curve],
        }


Ranking = Callable[[Question], Sequence[str]]


def evaluate(
    questions: Sequence[Question],
    part: Part,
    passages: Sequence[Passage],
    vectors: Mapping[str, Vectors],
    ours: HybridSearch,
    without_known: HybridSearch,
) -> SearchReport:
    """Measure on ``questions``, all of one ``part``, over ``passages`` and their ``vectors`` by id.

    A question that ``ours`` knows is not known while it is asked. Raises `ContentError` without any question, and
    where a question names an article that is not there.
    """
    if not questions:
        raise ContentError([f"there is no question of the {part} part; add some to questions/<locale>.jsonl"])
    if missing := unknown_articles(questions, (passage.article for passage in passages)):
        raise ContentError([f"question {name}: no approved article {', '.join(ids)}" for name, ids in missing.items()])
    answerable = [question for question in questions if question.answers]
    baselines = _Baselines(passages, vectors, ours)
    methods: dict[str, Ranking] = {
        DENSE: lambda question: baselines.rank(question, dense=True),
        LEXICAL: lambda question: baselines.rank(question, lexical=True),
        FUSION: lambda question: baselines.rank(question, dense=True, lexical=True),
        ARTICLES: lambda question: _articles(without_known, question),
        OURS: lambda question: _articles(ours, question),
    }
    ranks = {name: [_rank(question, rank(question)) for question in answerable] for name, rank in methods.items()}
    probabilities, right = _judged(questions, ours)
    can = np.array([bool(question.answers) for question in questions])
    pairs = list(zip(ranks[OURS], ranks[DENSE], strict=True))
    return SearchReport(
        part=part,
        questions=len(questions),
        methods=tuple(_found(name, found) for name, found in ranks.items()),
        locales={
            locale: _found(OURS, [r for r, q in zip(ranks[OURS], answerable, strict=True) if q.locale == locale])
            for locale in dict.fromkeys(question.locale for question in answerable)
        },
        won=sum(mine == 1 != dense for mine, dense in pairs),
        lost=sum(dense == 1 != mine for mine, dense in pairs),
        auroc=float(roc_auc_score(can, probabilities)) if len(set(can.tolist())) == 2 else float("nan"),
        ece=expected_calibration_error(probabilities, right),
        in_force=_answering(ours.settings.answer_from, probabilities, right),
        curve=tuple(_answering(threshold, probabilities, right) for threshold in _THRESHOLDS),
    )


def expected_calibration_error(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Of probabilities 0..1 and whether each came true, in ten bins of equal width."""
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    distance = 0.0
    for number in range(_BINS):
        if (inside := bins == number).any():
            distance += inside.mean() * abs(probabilities[inside].mean() - right[inside].mean())
    return float(distance)


def reciprocal_rank_fusion(*scores: Scores) -> Scores:
    """Fused scores, float32 (n,), of several methods' scores of the same n passages."""
    ranks = [np.argsort(np.argsort(-score, kind="stable"), kind="stable") + 1 for score in scores]
    return np.asarray(np.sum([1.0 / (_FUSION_K + rank) for rank in ranks], axis=0), dtype=np.float32)


class _Baselines:
    """What search would be with the passages' own vectors, their words, or both fused by rank."""

    def __init__(self, passages: Sequence[Passage], vectors: Mapping[str, Vectors], search: HybridSearch) -> None:
        self._search = search
        self._vectors: dict[str, Vectors] = {}
        for locale in {passage.locale for passage in passages}:
            shelf = search.shelf_of(locale)
            self._vectors[locale] = np.stack([vectors[passage.id] for passage in shelf.passages])

    def rank(self, question: Question, dense: bool = False, lexical: bool = False) -> Sequence[str]:
        shelf = self._search.shelf_of(question.locale)
        if not shelf.passages:
            return []
        scores = []
        if dense and (vector := self._search.encode(question.question)) is not None:
            scores.append(self._vectors[question.locale] @ vector)
        if lexical:
            scores.append(shelf.lexical.scores(question.question))
        fused = reciprocal_rank_fusion(*scores) if len(scores) > 1 else scores[0]
        order = np.argsort(-fused, kind="stable")
        return list(dict.fromkeys(shelf.passages[row].article for row in order))


def _articles(search: HybridSearch, question: Question) -> Sequence[str]:
    ranked = search.ranked(question.question, question.locale, k=LOOKED_AT, without=question.id)
    return list(dict.fromkeys(result.passage.article for result in ranked))


def _rank(question: Question, articles: Sequence[str]) -> int | None:
    """1-based rank of the first right article."""
    return next((rank for rank, article in enumerate(articles, start=1) if article in question.answers), None)


def _found(method: str, ranks: Sequence[int | None]) -> Found:
    first = sum(rank == 1 for rank in ranks)
    among_three = sum(rank is not None and rank <= 3 for rank in ranks)
    mrr = sum(1 / rank for rank in ranks if rank) / len(ranks) if ranks else 0.0
    return Found(method, Share.count(first, len(ranks)), Share.count(among_three, len(ranks)), mrr)


def _judged(questions: Sequence[Question], search: HybridSearch) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each question's best result, and whether it is right."""
    probabilities, right = [], []
    for question in questions:
        best = search.ranked(question.question, question.locale, k=1, without=question.id)
        probabilities.append(best[0].probability if best else 0.0)
        right.append(bool(best) and best[0].passage.article in question.answers)
    return np.array(probabilities), np.array(right)


def _answering(threshold: float, probabilities: np.ndarray, right: np.ndarray) -> Answering:
    answered = probabilities >= threshold
    return Answering(
        threshold,
        Share.count(int(answered.sum()), len(probabilities)),
        Share.count(int(right[answered].sum()), int(answered.sum())),
    )
