"""Sentiment on five levels, from a lexicon in five languages."""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from classifier.datafile import load_yaml
from classifier.folding import fold

_READ_CHARACTERS = 4_000
_CAPITALS = re.compile(r"\b[A-ZÀ-Þ]{4,}\b")


class Sentiment(StrEnum):
    """How the writer feels, worst first."""

    VERY_NEGATIVE = "very_negative"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    VERY_POSITIVE = "very_positive"


class SentimentLexicon(BaseModel):
    """The data file ``sentiment.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cuts: tuple[float, ...] = Field(min_length=4, max_length=4)
    capitals: float
    exclamations: float
    negations: tuple[str, ...]
    symbols: dict[str, float]
    words: dict[str, dict[str, float]]


@cache
def _lexicon() -> tuple[SentimentLexicon, re.Pattern[str], dict[str, float], list[tuple[str, float]]]:
    lexicon = load_yaml(Path(__file__).parent / "data" / "sentiment.yaml", SentimentLexicon)
    whole: dict[str, float] = {}
    stems: list[tuple[str, float]] = []
    for words in lexicon.words.values():
        for word, weight in words.items():
            if word.endswith("*"):
                stems.append((word[:-1], weight))
            else:
                whole[word] = weight
    negation = "|".join(re.escape(word) for word in lexicon.negations)
    parts = [rf"{re.escape(word)}\b" for word in sorted(whole, key=len, reverse=True)]
    parts += [rf"{re.escape(stem)}\w*" for stem, _ in sorted(stems, key=lambda item: -len(item[0]))]
    pattern = re.compile(rf"(?P<not>(?:\b(?:{negation}) (?:\w+ )?))?\b(?P<word>{'|'.join(parts)})")
    return lexicon, pattern, whole, sorted(stems, key=lambda item: -len(item[0]))


def sentiment_score(text: str) -> float:
    """Points of the lexicon: below zero unhappy, above zero happy."""
    lexicon, pattern, whole, stems = _lexicon()
    text = text[:_READ_CHARACTERS]
    score = 0.0
    for match in pattern.finditer(fold(text)):
        word = match["word"]
        weight = whole.get(word)
        if weight is None:
            weight = next(points for stem, points in stems if word.startswith(stem))
        score += -weight if match["not"] and weight > 0 else weight
    score += sum(weight for symbol, weight in lexicon.symbols.items() if symbol in text)
    shouted = len(_CAPITALS.findall(text))
    if shouted >= 3:
        score += lexicon.capitals
    if "!!" in text and score <= 0:
        score += lexicon.exclamations
    return score


def sentiment(text: str) -> Sentiment:
    """The level of `sentiment_score`."""
    lexicon = _lexicon()[0]
    return list(Sentiment)[bisect_right(lexicon.cuts, sentiment_score(text))]
