"""How search weighs and judges what it finds, as data."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from classifier.datafile import load_yaml

SEARCH_SETTINGS = Path(__file__).parent / "data" / "search.yaml"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Data):
    """Share of the cosine in the fused score, 0..1; the rest is lexical."""

    dense: float = Field(ge=0, le=1)
    dense_with_code: float = Field(ge=0, le=1)
    rare_in_passages: int = Field(ge=1)


class Coefficients(_Data):
    """Logistic regression from a result's features to the probability that it answers; see `kb.calibration`."""

    intercept: float
    cosine: float
    margin: float
    lexical: float
    threshold: float = Field(ge=0, le=1)
    fitted_on: str

    def probability(self, cosine: float, margin: float, lexical: float) -> float:
        """0..1."""
        logit = self.intercept + self.cosine * cosine + self.margin * margin + self.lexical * lexical
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))


class SearchSettings(_Data):
    """The data file ``search.yaml``."""

    version: int
    fallback_locale: str
    query_characters: int = Field(ge=1)
    stem_length: int = Field(ge=2)
    weights: Weights
    probability: Coefficients


@cache
def starter_search_settings() -> SearchSettings:
    """The shipped settings."""
    return load_yaml(SEARCH_SETTINGS, SearchSettings)
