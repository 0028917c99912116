"""Fitting how search weighs evidence and judges its results, from questions whose answer is known.

SearchFitError   the questions cannot be fitted on

Weights maximise the likelihood of the right article among all passages (a conditional logit). The probability that a
result answers is a logistic regression over the best passage of the first articles found for each question, right and
wrong ones, and of those found for questions that no article answers. A question is not known while it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import yaml
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from kb.questions import Question
from kb.search import LOOKED_AT, HybridSearch
from kb.search_result import SearchResult
from kb.search_settings import Coefficients, Profile, Profiles, SearchSettings, Weights

FEWEST = 40
"""Questions below which nothing is fitted: eight numbers are to be learned from them."""
_FIRST_ARTICLES = 3
_RIDGE = 1e-4
_INVERSE_RIDGE = 10.0

Searcher = Callable[[SearchSettings, str], HybridSearch]
"""Makes a search with these settings for a profile: `asked`, `articles` or `lexical`."""


class SearchFitError(ValueError):
    """The questions cannot be fitted on; the message says what is missing."""


@dataclass(frozen=True)
class _Examples:
    features: np.ndarray
    right: np.ndarray


def fit(
    questions: Sequence[Question],
    searcher: Searcher,
    settings: SearchSettings,
) -> SearchSettings:
    """``settings`` with weights and judgement of all three profiles fitted on ``questions``.

    Raises `SearchFitError` where there are too few questions, or where all or none are answered.
    """
    answered = [question for question in questions if question.answers]
    if len(questions) < FEWEST or len(answered) in {0, len(questions)}:
        raise SearchFitError(
            f"{len(questions)} questions, {len(questions) - len(answered)} of them that no article answers; "
            f"at least {FEWEST} are needed, and some of both kinds"
        )
    profiles = {}
    for name in Profiles.model_fields:
        weights = _weights(answered, searcher(settings, name), name)
        before: Profile = getattr(settings.profiles, name)
        weighted = _with_profile(settings, name, Profile(weights=weights, probability=before.probability))
        judged = _judgement(_examples(questions, searcher(weighted, name)))
        profiles[name] = Profile(weights=weights, probability=judged)
    fitted_on = (
        f"{len(questions)} development questions, {len(questions) - len(answered)} of them that no article answers"
    )
    return settings.model_copy(update={"profiles": Profiles(**profiles), "fitted_on": fitted_on})


def as_yaml(settings: SearchSettings) -> str:
    """The settings as a file that `kb.search_settings` reads."""
    text: str = yaml.safe_dump(settings.model_dump(), sort_keys=False, allow_unicode=True, width=118)
    return "# How search weighs and judges what it finds. Written by `paretodesk kb fit-search`.\n" + text


def _with_profile(settings: SearchSettings, name: str, profile: Profile) -> SearchSettings:
    profiles = settings.profiles.model_copy(update={name: profile})
    return settings.model_copy(update={"profiles": profiles})


def _weights(questions: Sequence[Question], search: HybridSearch, profile: str) -> Weights:
    used = {"asked": (0, 1, 2), "articles": (0, 2), "lexical": (2,)}[profile]
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    for question in questions:
        articles, evidence = search.evidence(question.question, question.locale, without=question.id)
        right = np.isin(articles, sorted(question.answers))
        if right.any():
            rows.append((np.stack([evidence.cosines, evidence.asked, evidence.lexical], axis=1)[:, used], right))

    if not rows:
        raise SearchFitError(f"no question of the {profile} profile has an answer among the articles; add questions")

    def loss(weights: np.ndarray) -> float:
        total = sum(
            float(logsumexp(scores) - logsumexp(scores[right]))
            for scores, right in ((features @ weights, right) for features, right in rows)
        )
        return total / len(rows) + _RIDGE * float(weights @ weights)

    found = minimize(loss, np.full(len(used), 5.0), method="L-BFGS-B", bounds=[(0.0, None)] * len(used)).x
    if not found.sum():
        raise SearchFitError(
            f"no kind of evidence finds the right article in the {profile} profile; check the questions"
        )
    shares = np.zeros(3)
    shares[list(used)] = found / found.sum()
    dense, asked = (round(float(share), 3) for share in shares[:2])
    return Weights(dense=dense, asked=asked, lexical=round(max(0.0, 1 - dense - asked), 3))


def _examples(questions: Sequence[Question], search: HybridSearch) -> _Examples:
    features, right = [], []
    for question in questions:
        ranked = search.ranked(question.question, question.locale, k=LOOKED_AT, without=question.id)
        best: dict[str, SearchResult] = {}
        for result in ranked:
            best.setdefault(result.passage.article, result)
        for result in list(best.values())[:_FIRST_ARTICLES]:
            parts = result.parts
            features.append((result.score, parts.margin, parts.lexical, parts.unanswered))
            right.append(result.passage.article in question.answers)
    return _Examples(np.array(features), np.array(right))


def _judgement(examples: _Examples) -> Coefficients:
    if len(set(examples.right.tolist())) < 2:
        raise SearchFitError("all results are right or all are wrong; add questions of the other kind")
    model = LogisticRegression(C=_INVERSE_RIDGE).fit(examples.features, examples.right)
    score, margin, lexical, unanswered = (round(float(weight), 4) for weight in model.coef_[0])
    return Coefficients(
        intercept=round(float(model.intercept_[0]), 4),
        score=score,
        margin=margin,
        lexical=lexical,
        unanswered=unanswered,
    )
