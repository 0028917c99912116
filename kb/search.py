"""Hybrid search over passages, and how probable it is that a passage answers the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Encoder, Vectors
from kb.articles import Audience, Passage
from kb.content import ANY_MARKETPLACE
from kb.lexical import LexicalIndex
from kb.scope import Scope
from kb.search_settings import SearchSettings, starter_search_settings

# Nobody asks for more results, and a passage below this rank is no answer.
_LOOKED_AT = 50


@dataclass(frozen=True)
class Parts:
    """Why a result stands where it stands."""

    cosine: float
    margin: float
    """Its cosine less the best cosine of any other article, in its own or the fallback language; 0 without any."""
    lexical: float
    """Share of the question's words, weighed by rarity, that the passage has, 0..1."""
    dense_weight: float


@dataclass(frozen=True)
class SearchResult:
    """One passage that may answer the question."""

    passage: Passage
    score: float
    probability: float
    """That the passage answers the question, 0..1."""
    fallback: str | None
    """The language answered in where the question's own had no answer, else None."""
    parts: Parts

    def to_json(self, explain: bool = False) -> dict[str, Any]:
        """The public form; `explain` adds the parts of score and probability."""
        data: dict[str, Any] = {
            "article": self.passage.article,
            "reason": self.passage.reason,
            "locale": self.passage.locale,
            "title": self.passage.title,
            "heading": self.passage.heading,
            "passage": self.passage.text,
            "score": round(self.score, 4),
            "probability": round(self.probability, 4),
            "fallback": self.fallback,
        }
        if explain:
            data["explain"] = {
                name: round(value, 4)
                for name, value in (
                    ("cosine", self.parts.cosine),
                    ("margin", self.parts.margin),
                    ("lexical", self.parts.lexical),
                    ("dense_weight", self.parts.dense_weight),
                )
            }
        return data


@dataclass(frozen=True)
class _Shelf:
    """The passages of one scope, ready to be searched."""

    passages: tuple[Passage, ...]
    vectors: Vectors
    articles: tuple[str, ...]
    lexical: LexicalIndex


class HybridSearch:
    """Dense and lexical search, fused. Dense search is an exact scan: as fast as HNSW up to some 20,000 passages.

    ``vectors`` has the vector of each passage by its id (float32, (d,), unit length). Safe for several threads.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        vectors: Mapping[str, Vectors],
        encoder: Encoder,
        settings: SearchSettings | None = None,
    ) -> None:
        self.settings = settings or starter_search_settings()
        self._passages = tuple(passages)
        self._vectors = vectors
        self._encoder = encoder
        self._marketplaces = {marketplace for passage in passages for marketplace in passage.marketplace}
        self._shelves: dict[Scope, _Shelf] = {}

    def search(
        self,
        question: str,
        locale: str,
        *,
        audience: Audience = Audience.CUSTOMER,
        marketplace: str | None = None,
        k: int = 3,
    ) -> list[SearchResult]:
        """Up to ``k`` passages that probably answer, best first; empty where nothing does.

        Where the question's language has no answer, the fallback language's is given and says so.
        """
        fallback = self.settings.fallback_locale
        vector = self._vector(question)
        if vector is None:
            return []
        for language in dict.fromkeys((locale, fallback)):
            ranked = self._ranked(question, vector, Scope(language, audience, marketplace), language != locale)
            answers = [result for result in ranked if result.probability >= self.settings.probability.threshold]
            if answers:
                return answers[:k]
        return []

    def of_reason(
        self,
        question: str,
        reason: str,
        locale: str,
        *,
        audience: Audience = Audience.CUSTOMER,
        marketplace: str | None = None,
        k: int = 3,
    ) -> list[SearchResult]:
        """The ``k`` best passages of a reason that is known otherwise, best first, whatever their probability.

        Empty where neither the language nor the fallback language has an article for the reason.
        """
        vector = self._vector(question)
        if vector is None:
            return []
        for language in dict.fromkeys((locale, self.settings.fallback_locale)):
            scope = Scope(language, audience, marketplace)
            if found := self._ranked(question, vector, scope, language != locale, reason):
                return found[:k]
        return []

    def ranked(
        self,
        question: str,
        locale: str,
        *,
        audience: Audience = Audience.CUSTOMER,
        marketplace: str | None = None,
        k: int = 10,
    ) -> list[SearchResult]:
        """The best ``k`` passages of one language whether they answer or not, for evaluation and calibration."""
        vector = self._vector(question)
        if vector is None:
            return []
        return self._ranked(question, vector, Scope(locale, audience, marketplace), fallback=False)[:k]

    def _vector(self, question: str) -> Vectors | None:
        question = question[: self.settings.query_characters].strip()
        if not question or not self._passages:
            return None
        vector: Vectors = self._encoder.encode([question])[0]
        return vector

    def _ranked(
        self, question: str, vector: Vectors, scope: Scope, fallback: bool, reason: str | None = None
    ) -> list[SearchResult]:
        shelf = self._shelf(scope)
        if not shelf.passages:
            return []
        question = question[: self.settings.query_characters]
        cosines = shelf.vectors @ vector
        lexical = shelf.lexical.scores(question)
        weights = self.settings.weights
        coded = shelf.lexical.rare_codes(question, weights.rare_in_passages)
        dense_weight = weights.dense_with_code if coded else weights.dense
        scores = dense_weight * cosines + (1 - dense_weight) * lexical
        margins = _margins(cosines, shelf.articles, self._best_by_article(shelf, cosines, vector, scope))
        results = []
        order = [
            row for row in np.argsort(-scores, kind="stable") if reason is None or shelf.passages[row].reason == reason
        ]
        for row in order[:_LOOKED_AT]:
            parts = Parts(float(cosines[row]), float(margins[row]), float(lexical[row]), dense_weight)
            probability = self.settings.probability.probability(parts.cosine, parts.margin, parts.lexical)
            results.append(
                SearchResult(
                    shelf.passages[row],
                    float(scores[row]),
                    probability,
                    scope.locale if fallback else None,
                    parts,
                )
            )
        return results

    def _best_by_article(
        self, shelf: _Shelf, cosines: NDArray[np.float32], vector: Vectors, scope: Scope
    ) -> dict[str, float]:
        """Each article's best cosine in the scope's language or the fallback language.

        Without the second, the only German article would have no rival and seem to answer every German question.
        """
        best = _best_of_each(shelf.articles, cosines)
        if scope.locale != self.settings.fallback_locale:
            other = self._shelf(replace(scope, locale=self.settings.fallback_locale))
            if other.passages:
                for article, cosine in _best_of_each(other.articles, other.vectors @ vector).items():
                    best[article] = max(cosine, best.get(article, -1.0))
        return best

    def _shelf(self, scope: Scope) -> _Shelf:
        if scope.marketplace is not None and scope.marketplace not in self._marketplaces:
            scope = Scope(scope.locale, scope.audience, ANY_MARKETPLACE)
        if scope not in self._shelves:
            passages = tuple(passage for passage in self._passages if scope.admits(passage))
            if not passages:
                # Not kept: callers choose the locale, and the shelf of an unknown one must not pile up.
                return _Shelf((), np.empty((0, 0), dtype=np.float32), (), LexicalIndex([], 2))
            self._shelves[scope] = _Shelf(
                passages,
                np.ascontiguousarray(np.stack([self._vectors[passage.id] for passage in passages])),
                tuple(passage.article for passage in passages),
                LexicalIndex([passage.searchable for passage in passages], self.settings.stem_length),
            )
        return self._shelves[scope]


def _margins(cosines: NDArray[np.float32], articles: Sequence[str], best: Mapping[str, float]) -> NDArray[np.float32]:
    """Each passage's cosine less the best cosine of the other articles; 0 where there is no other."""
    (first, first_cosine), *others = sorted(best.items(), key=lambda item: -item[1])
    if not others:
        return np.zeros(len(cosines), dtype=np.float32)
    rivals = np.array([others[0][1] if article == first else first_cosine for article in articles], dtype=np.float32)
    return np.asarray(cosines - rivals, dtype=np.float32)


def _best_of_each(articles: Sequence[str], cosines: NDArray[np.float32]) -> dict[str, float]:
    best: dict[str, float] = {}
    for article, cosine in zip(articles, cosines.tolist(), strict=True):
        if cosine > best.get(article, -2.0):
            best[article] = cosine
    return best
