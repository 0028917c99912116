"""Questions that were asked before, as evidence: what is nearest to a new question, and which article answered it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classifier.encoders import Encoder, Vectors
from kb.questions import Question


@dataclass(frozen=True)
class Resemblance:
    """How near a question is to those asked before."""

    by_article: dict[str, float]
    """The best cosine of a known question, by the article that answers it."""
    unanswered: float | None
    """The best cosine of a known question that no article answers; None where no such question is known."""


class AskedQuestions:
    """Known questions of all languages in one space. Safe for several threads."""

    def __init__(self, questions: Sequence[Question], encoder: Encoder) -> None:
        self._ids = np.array([question.id for question in questions], dtype=object)
        self._vectors = encoder.encode([question.question for question in questions])
        self._articles = tuple(dict.fromkeys(article for question in questions for article in question.answers))
        places = {article: place for place, article in enumerate(self._articles)}
        pairs = [(row, places[article]) for row, question in enumerate(questions) for article in question.answers]
        self._question_of, self._article_of = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        """Row of the question and place of the article, for each article that answers a question."""
        self._open = np.array([row for row, question in enumerate(questions) if not question.answers], dtype=np.intp)

    def __len__(self) -> int:
        return len(self._ids)

    def resemblance(self, vector: Vectors, without: str | None = None) -> Resemblance:
        """To ``vector`` (float32, (d,), unit length). ``without`` leaves the question of that id out, for fitting."""
        cosines = np.asarray(self._vectors @ vector)
        if without is not None:
            cosines[self._ids == without] = -np.inf
        best = np.full(len(self._articles), -np.inf, dtype=cosines.dtype)
        np.maximum.at(best, self._article_of, cosines[self._question_of])
        known = {article: cosine for article, cosine in zip(self._articles, best.tolist(), strict=True) if cosine > -2}
        nearest = float(cosines[self._open].max(initial=-np.inf))
        return Resemblance(known, nearest if nearest > -2 else None)
