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
        self._answers = [question.answers for question in questions]
        self._vectors = encoder.encode([question.question for question in questions])

    def __len__(self) -> int:
        return len(self._answers)

    def resemblance(self, vector: Vectors, without: str | None = None) -> Resemblance:
        """To ``vector`` (float32, (d,), unit length). ``without`` leaves the question of that id out, for fitting."""
        by_article: dict[str, float] = {}
        unanswered: float | None = None
        cosines = self._vectors @ vector
        for row in np.argsort(-cosines, kind="stable"):
            if without is not None and self._ids[row] == without:
                continue
            cosine = float(cosines[row])
            if not self._answers[row] and unanswered is None:
                unanswered = cosine
            for article in self._answers[row]:
                by_article.setdefault(article, cosine)
        return Resemblance(by_article, unanswered)
