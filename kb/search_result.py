"""What a search found: a passage, how probable it is that it answers, and why it stands where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kb.articles import Passage
from kb.scope import Scope
from kb.search_settings import Weights


@dataclass(frozen=True)
class Parts:
    """Why a result stands where it stands."""

    cosine: float
    """Between question and passage, -1..1; 0 while there are no vectors."""
    asked: float | None
    """The best cosine of a known question that the article answers; None where no questions are known."""
    lexical: float
    """Share of the question's words, weighed by rarity, that the passage has, 0..1."""
    terms: tuple[str, ...]
    """The words of the question that the passage has."""
    weights: Weights
    margin: float
    """Its score without words less the best such score of any other article, in its own or the fallback language."""
    unanswered: float
    """The best cosine of a known question that no article answers, less ``asked``; 0 where none is known."""
    scope: Scope
    passages: int
    """How many passages the scope's filters left."""


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

    @property
    def passage_score(self) -> float:
        """The score by the passage's own evidence, without that of its article: comparable within one article."""
        weights = self.parts.weights
        own = weights.dense * self.parts.cosine + weights.lexical * self.parts.lexical
        return own / ((weights.dense + weights.lexical) or 1.0)

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
            parts = self.parts
            data["explain"] = {
                "cosine": round(parts.cosine, 4),
                "asked": None if parts.asked is None else round(parts.asked, 4),
                "lexical": round(parts.lexical, 4),
                "terms": list(parts.terms),
                "weights": {name: round(weight, 4) for name, weight in parts.weights.model_dump().items()},
                "margin": round(parts.margin, 4),
                "unanswered": round(parts.unanswered, 4),
                "filters": {
                    "locale": parts.scope.locale,
                    "audience": parts.scope.audience.value,
                    "marketplace": parts.scope.marketplace,
                    "passages": parts.passages,
                },
            }
        return data
