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
        rows = {article: row for row, article in enumerate(self.articles)}
        self.article_of = np.array([rows[passage.article] for passage in passages], dtype=np.intp)
        """Row in `articles` of each passage."""
        self.lexical = LexicalIndex([passage.searchable for passage in passages], stem_length)
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
            by_article = [asked.by_article.get(article, best[row]) for row, article in enumerate(self.articles)]
            resembled = np.array(by_article, dtype=np.float32)[self.article_of]
        return Evidence(cosines, resembled, self.lexical.scores(question))

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
    best = dict(zip(shelf.articles, shelf.best_of_each(scores).tolist(), strict=True))
    if rival is not None and rival_scores is not None:
        for article, score in zip(rival.articles, rival.best_of_each(rival_scores).tolist(), strict=True):
            best[article] = max(score, best.get(article, -np.inf))
    (first, highest), *others = sorted(best.items(), key=lambda item: -item[1])
    if not others:
        return np.zeros(len(scores), dtype=np.float32)
    against = np.array([others[0][1] if article == first else highest for article in shelf.articles], dtype=np.float32)
    return np.asarray(scores - against[shelf.article_of], dtype=np.float32)
