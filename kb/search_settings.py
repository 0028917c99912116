"""How search weighs and judges what it finds, as data; `paretodesk kb fit-search` writes it."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from classifier.datafile import load_yaml

SEARCH_SETTINGS = Path(__file__).parent / "data" / "search.yaml"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Data):
    """Shares of the three kinds of evidence in the score of a passage, each 0..1; together 1."""

    dense: float = Field(ge=0, le=1)
    asked: float = Field(ge=0, le=1)
    lexical: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.dense + self.asked + self.lexical - 1) > 1e-3:
            raise ValueError(f"dense, asked and lexical must add up to 1, not {self.dense + self.asked + self.lexical}")
        return self

    def with_lexical(self, lexical: float) -> Weights:
        """The same proportion of the other two beside at least this share of lexical evidence."""
        lexical = max(lexical, self.lexical)
        rest = self.dense + self.asked
        if not rest:  # search by words alone
            return self
        share = (1 - lexical) / rest
        return Weights(dense=self.dense * share, asked=self.asked * share, lexical=lexical)


class Coefficients(_Data):
    """Logistic regression from a result's features to the probability that it answers; see `kb.fitting`."""

    intercept: float
    score: float
    margin: float
    lexical: float
    unanswered: float

    def probability(self, score: float, margin: float, lexical: float, unanswered: float) -> float:
        """0..1, of the features that `kb.search.Parts` describes."""
        logit = (
            self.intercept
            + self.score * score
            + self.margin * margin
            + self.lexical * lexical
            + self.unanswered * unanswered
        )
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))


class Profile(_Data):
    """Weights and judgement for one kind of evidence at hand."""

    weights: Weights
    probability: Coefficients


class Profiles(_Data):
    """``asked``: with known questions; ``articles``: without; ``lexical``: while there are no vectors."""

    asked: Profile
    articles: Profile
    lexical: Profile

    @model_validator(mode="after")
    def _meant(self) -> Self:
        for name in ("asked", "articles"):
            weights: Weights = getattr(self, name).weights
            if weights.dense + weights.asked <= 0:
                raise ValueError(f"{name}.weights: dense and asked are both 0; give meaning some weight")
        return self


class SearchSettings(_Data):
    """The data file ``search.yaml``."""

    version: int
    fallback_locale: str
    query_characters: int = Field(ge=1)
    stem_length: int = Field(ge=2)
    rare_in_passages: int = Field(ge=1)
    lexical_with_code: float = Field(ge=0, le=1)
    answer_from: float = Field(ge=0, le=1)
    """The probability from which on a result is an answer; 0.5: sooner right than wrong."""
    profiles: Profiles
    fitted_on: str


@cache
def starter_search_settings() -> SearchSettings:
    """The shipped settings."""
    return load_yaml(SEARCH_SETTINGS, SearchSettings)
