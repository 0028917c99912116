"""The passages of one scope with all that judges them: vectors, words, and the questions that were asked of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.encoders import Vectors
from kb.articles import Passage
from kb.asked import Resemblance
from kb.lexical import LexicalIndex

Scores = NDArray[np.float32]
Rows = NDArray[np.intp]
NO_ROWS: Rows = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Evidence:
    """What speaks for each passage of a shelf; each float32 (passages,)."""

    cosines: Scores
    asked: Scores
    """The best cosine of a question that was answered by the passage's article; zero where no questions are known.

    An article that nobody asked for yet has its best passage's cosine instead, which is of the same size.
    """
    lexical: Scores

    def score(self, dense: float, asked: float, lexical: float) -> Scores:
        """The weighted sum."""
        return np.asarray(dense * self.cosines + asked * self.asked + lexical * self.lexical, dtype=np.float32)


class Shelf:
    """The passages of one scope, ready to be searched. ``vectors`` None: by their words alone."""

    def __init__(self, passages: Sequence[Passage], vectors: Mapping[str, Vectors] | None, stem_length: int) -> None:
        self.passages = tuple(passages)
        self.articles = tuple(dict.fromkeys(passage.article for passage in passages))
        self._rows = {article: row for row, article in enumerate(self.articles)}
        self.article_of = np.array([self._rows[passage.article] for passage in passages], dtype=np.intp)
        """Row in `articles` of each passage."""
        reasons = np.array([passage.reason for passage in passages], dtype=object)
        self._of_reason = {reason: np.flatnonzero(reasons == reason) for reason in set(reasons)}
        self.lexical = LexicalIndex([passage.searchable for passage in passages], stem_length)
        self._places: dict[Shelf, Rows] = {}
        self._vectors: Vectors | None = None
        if vectors is not None and passages:
            self._vectors = np.ascontiguousarray(np.stack([vectors[passage.id] for passage in passages]))

    def evidence(self, question: str, vector: Vectors | None, asked: Resemblance | None) -> Evidence:
        """For a ``question`` and its ``vector`` (float32, (d,), unit length)."""
        nothing = np.zeros(len(self.passages), dtype=np.float32)
        cosines = nothing if self._vectors is None or vector is None else np.asarray(self._vectors @ vector)
        resembled = nothing
        if asked is not None:
            best = self.best_of_each(cosines)
            for article, cosine in asked.by_article.items():
                if (row := self._rows.get(article)) is not None:
                    best[row] = cosine
            resembled = best[self.article_of]
        return Evidence(cosines, resembled, self.lexical.scores(question))

    def in_order(self, scores: Scores, reason: str | None = None) -> Rows:
        """Rows of the passages, of a ``reason`` or all, best first; equal ones in the order of `passages`."""
        rows = np.arange(len(self.passages)) if reason is None else self._of_reason.get(reason, NO_ROWS)
        return np.asarray(rows[np.argsort(-scores[rows], kind="stable")])

    def places_in(self, other: Shelf) -> Rows:
        """Row in ``other`` of each of `articles`, -1 for one that it has not."""
        if other not in self._places:
            self._places[other] = np.array([other._rows.get(article, -1) for article in self.articles], dtype=np.intp)
        return self._places[other]

    def best_of_each(self, scores: Scores) -> Scores:
        """The best of ``scores`` (one per passage) of each article, float32 (articles,)."""
        best = np.full(len(self.articles), -np.inf, dtype=np.float32)
        np.maximum.at(best, self.article_of, scores)
        return best


def language_free(passages: Sequence[Passage], vectors: Mapping[str, Vectors]) -> dict[str, Vectors]:
    """By passage id: the mean direction of the passage and the same section in the article's other languages.

    The encoder has one space for all languages, so versions of a section correct each other: on the development
    questions this found the right article first in 0.55 against 0.49. Sections count as the same where both
    versions of the article have as many; otherwise a passage keeps its own vector.
    """
    sections: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    for passage in passages:
        sections[passage.article, passage.locale].append(passage)
    versions: dict[tuple[str, int], list[list[Passage]]] = defaultdict(list)
    for (article, _), version in sections.items():
        versions[article, len(version)].append(version)
    merged: dict[str, Vectors] = {}
    for same in versions.values():
        for section in zip(*same, strict=True):
            mean = np.sum([vectors[passage.id] for passage in section], axis=0)
            unit = np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)
            merged.update(dict.fromkeys((passage.id for passage in section), unit))
    return merged


def margins(shelf: Shelf, scores: Scores, rival: Shelf | None, rival_scores: Scores | None) -> Scores:
    """Each passage's score less the best of any other article, also of ``rival``; 0 where there is no other.

    A rival shelf is the same scope in the fallback language: without it the only German article would have no rival
    and seem to answer every German question.
    """
    best = own = shelf.best_of_each(scores)
    if rival is not None and rival_scores is not None:
        theirs, places = rival.best_of_each(rival_scores), rival.places_in(shelf)
        own = own.copy()
        np.maximum.at(own, places[places >= 0], theirs[places >= 0])
        best = np.concatenate([own, theirs[places < 0]])
    if len(best) < 2:
        return np.zeros(len(scores), dtype=np.float32)
    first = int(best.argmax())
    against = np.full(len(own), best[first], dtype=np.float32)
    if first < len(against):
        against[first] = np.delete(best, first).max()
    return np.asarray(scores - against[shelf.article_of], dtype=np.float32)
