"""Fitting the probability that a found passage answers, from questions whose answer is known.

CalibrationError   the questions cannot be fitted on
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from kb.articles import Audience
from kb.search import HybridSearch, SearchResult
from kb.search_settings import Coefficients

TARGET_PRECISION = 0.9
"""Of the questions that are answered, the share that must be answered right; sets the threshold."""


class CalibrationError(ValueError):
    """The questions cannot be fitted on; the message says what is missing."""


@dataclass(frozen=True)
class Question:
    """A customer's question and the article that answers it, or the reason any article of which does.

    Neither of the two says that no article answers.
    """

    text: str
    locale: str
    article: str | None = None
    reason: str | None = None
    audience: Audience = Audience.CUSTOMER
    marketplace: str | None = None

    def answered_by(self, result: SearchResult) -> bool:
        """Whether ``result`` is a right answer."""
        if self.article is not None:
            return result.passage.article == self.article
        return self.reason is not None and result.passage.reason == self.reason


def fit(
    questions: Sequence[Question], search: HybridSearch, target_precision: float = TARGET_PRECISION
) -> Coefficients:
    """Coefficients of the best result's features, fitted on ``questions`` by logistic regression.

    The threshold is the lowest at which answering is right at ``target_precision``. Raises `CalibrationError` when
    all questions are answered right or none is.
    """
    rows, right = [], []
    for question in questions:
        best = search.ranked(
            question.text, question.locale, audience=question.audience, marketplace=question.marketplace, k=1
        )
        if best:
            parts = best[0].parts
            rows.append((parts.cosine, parts.margin, parts.lexical))
            right.append(question.answered_by(best[0]))
    if len(set(right)) < 2:
        raise CalibrationError(
            f"{len(right)} questions found a passage and all are {'right' if any(right) else 'wrong'}; "
            "add questions that no article answers and some that one does"
        )
    features, labels = np.array(rows), np.array(right)
    model = LogisticRegression(C=10.0).fit(features, labels)
    probabilities = model.predict_proba(features)[:, 1]
    cosine, margin, lexical = (float(weight) for weight in model.coef_[0])
    return Coefficients(
        intercept=round(float(model.intercept_[0]), 4),
        cosine=round(cosine, 4),
        margin=round(margin, 4),
        lexical=round(lexical, 4),
        threshold=round(_threshold(probabilities, labels, target_precision), 4),
        fitted_on=f"{len(labels)} questions, {int(labels.sum())} found right at once, precision {target_precision}",
    )


def _threshold(probabilities: np.ndarray, labels: np.ndarray, target: float) -> float:
    """The lowest probability from which on the share of right answers is at least ``target``; 1.0 where none is."""
    order = np.argsort(-probabilities, kind="stable")
    precision = np.cumsum(labels[order]) / np.arange(1, len(labels) + 1)
    enough = np.flatnonzero(precision >= target)
    return float(probabilities[order[enough[-1]]]) if len(enough) else 1.0
