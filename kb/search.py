"""Hybrid search over passages, and how probable it is that a passage answers the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from classifier.encoders import Encoder, Vectors
from kb.articles import Audience, Passage
from kb.asked import AskedQuestions, Resemblance
from kb.content import ANY_MARKETPLACE
from kb.questions import Question
from kb.scope import Scope
from kb.search_result import Parts, SearchResult
from kb.search_settings import Profile, SearchSettings, starter_search_settings
from kb.shelf import Evidence, Shelf, language_free, margins

LOOKED_AT = 50
"""Nobody asks for more results, and a passage below this rank is no answer."""

RECENT = 256
"""Questions whose vectors are kept, half a megabyte."""
GATHERED = 16
"""Questions in a scope whose evidence is kept; with 20,000 passages each is a quarter of a megabyte."""


class HybridSearch:
    """Dense and lexical search, fused. Dense search is an exact scan: as fast as HNSW up to some 20,000 passages.

    ``vectors`` has the vector of each passage by its id (float32, (d,), unit length); without vectors or without an
    encoder passages are found by their words alone. ``known`` are questions whose answer is known. Safe for several
    threads.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        vectors: Mapping[str, Vectors] | None,
        encoder: Encoder | None,
        settings: SearchSettings | None = None,
        known: Sequence[Question] = (),
    ) -> None:
        self.settings = settings or starter_search_settings()
        self._passages = tuple(passages)
        self._encoder = encoder if vectors is not None else None
        self._vectors = language_free(passages, vectors) if vectors is not None else None
        self._asked = AskedQuestions(known, self._encoder) if known and self._encoder else None
        self._marketplaces = {marketplace for passage in passages for marketplace in passage.marketplace}
        self._shelves: dict[Scope, Shelf] = {}
        self._by_content: dict[tuple[int, ...], Shelf] = {}
        # A ticket is searched for its reason, then in general, and again when an agent opens it.
        self._vector_of = lru_cache(RECENT)(self._encoded)
        self._gathered = lru_cache(GATHERED)(self._gather)

    def prepare(self) -> None:
        """Make every shelf now, so that nobody's first question waits for it."""
        for locale in {passage.locale for passage in self._passages}:
            for audience in Audience:
                for marketplace in (None, ANY_MARKETPLACE, *self._marketplaces):
                    self._shelf(Scope(locale, audience, marketplace))

    @property
    def profile(self) -> Profile:
        """The weights and the judgement in force, by the evidence that is at hand."""
        profiles = self.settings.profiles
        if self._encoder is None:
            return profiles.lexical
        return profiles.asked if self._asked else profiles.articles

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
        for language in dict.fromkeys((locale, self.settings.fallback_locale)):
            ranked = self._ranked(question, Scope(language, audience, marketplace), language != locale)
            answers = [result for result in ranked if result.probability >= self.settings.answer_from]
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
        for language in dict.fromkeys((locale, self.settings.fallback_locale)):
            scope = Scope(language, audience, marketplace)
            if found := self._ranked(question, scope, language != locale, reason):
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
        without: str | None = None,
    ) -> list[SearchResult]:
        """The best ``k`` passages of one language whether they answer or not.

        ``without`` is the id of a known question that is not to be known, because it is the one that is asked.
        """
        scope = Scope(locale, audience, marketplace)
        return self._ranked(question, scope, fallback=False, without=without)[:k]

    def evidence(self, question: str, locale: str, without: str | None = None) -> tuple[tuple[str, ...], Evidence]:
        """The article of each passage for customers of ``locale``, and what speaks for it; for fitting."""
        _, evidence = self._gather(question[: self.settings.query_characters], Scope(locale), without)
        return tuple(passage.article for passage in self.shelf_of(locale).passages), evidence

    def shelf_of(self, locale: str) -> Shelf:
        """What customers who write in ``locale`` may read, wherever they bought."""
        return self._shelf(Scope(locale))

    def encode(self, question: str) -> Vectors | None:
        """The vector of a question, float32 (d,), unit length; None for an empty one and while there are no vectors."""
        question = question[: self.settings.query_characters].strip()
        if not question or not self._passages or self._encoder is None:
            return None
        return self._vector_of(question)

    def _encoded(self, question: str) -> Vectors:
        assert self._encoder is not None  # noqa: S101  # only called with an encoder
        vector: Vectors = self._encoder.encode([question])[0]
        vector.setflags(write=False)
        return vector

    def _gather(self, question: str, scope: Scope, without: str | None = None) -> tuple[Resemblance | None, Evidence]:
        vector = self.encode(question)
        asked = self._asked.resemblance(vector, without) if self._asked and vector is not None else None
        return asked, self._shelf(scope).evidence(question, vector, asked)

    def _ranked(
        self,
        question: str,
        scope: Scope,
        fallback: bool,
        reason: str | None = None,
        without: str | None = None,
    ) -> list[SearchResult]:
        question = question[: self.settings.query_characters].strip()
        shelf = self._shelf(scope)
        if not shelf.passages or not question:
            return []
        asked, evidence = self._gathered(question, scope, without)
        profile = self.profile
        weights = profile.weights
        if shelf.lexical.rare_codes(question, self.settings.rare_in_passages):
            weights = weights.with_lexical(self.settings.lexical_with_code)
        scores = evidence.score(weights.dense, weights.asked, weights.lexical)
        leads = self._margins(shelf, evidence, question, scope, without)
        spoken = shelf.lexical.spoken(question)
        results = []
        for row in shelf.in_order(scores, reason)[:LOOKED_AT]:
            resembled = None if asked is None else float(evidence.asked[row])
            unanswered = 0.0
            if asked is not None and asked.unanswered is not None:
                unanswered = asked.unanswered - float(evidence.asked[row])
            parts = Parts(
                cosine=float(evidence.cosines[row]),
                asked=resembled,
                lexical=float(evidence.lexical[row]),
                terms=shelf.lexical.terms(spoken, row),
                weights=weights,
                margin=float(leads[row]),
                unanswered=unanswered,
                scope=scope,
                passages=len(shelf.passages),
            )
            score = float(scores[row])
            probability = profile.probability.probability(score, parts.margin, parts.lexical, unanswered)
            results.append(
                SearchResult(shelf.passages[row], score, probability, scope.locale if fallback else None, parts)
            )
        return results

    def _margins(
        self,
        shelf: Shelf,
        evidence: Evidence,
        question: str,
        scope: Scope,
        without: str | None,
    ) -> np.ndarray:
        """By meaning, which is comparable between languages; by words where there is nothing else."""
        weights = self.profile.weights
        if self._encoder is None:
            return margins(shelf, evidence.lexical, None, None)
        meaning = weights.dense + weights.asked
        dense, known = weights.dense / meaning, weights.asked / meaning
        rival = rival_scores = None
        if scope.locale != self.settings.fallback_locale:
            beside = replace(scope, locale=self.settings.fallback_locale)
            rival = self._shelf(beside)
            if rival.passages:
                rival_scores = self._gathered(question, beside, without)[1].score(dense, known, 0.0)
        return margins(shelf, evidence.score(dense, known, 0.0), rival, rival_scores)

    def _shelf(self, scope: Scope) -> Shelf:
        if scope.marketplace is not None and scope.marketplace not in self._marketplaces:
            scope = Scope(scope.locale, scope.audience, ANY_MARKETPLACE)
        if scope not in self._shelves:
            rows = tuple(row for row, passage in enumerate(self._passages) if scope.admits(passage))
            if not rows:
                # Not kept: callers choose the locale, and the shelf of an unknown one must not pile up.
                return Shelf((), self._vectors, self.settings.stem_length)
            if rows not in self._by_content:  # most scopes of a language admit the same passages
                passages = [self._passages[row] for row in rows]
                self._by_content[rows] = Shelf(passages, self._vectors, self.settings.stem_length)
            self._shelves[scope] = self._by_content[rows]
        return self._shelves[scope]
