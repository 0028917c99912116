"""What a group of tickets is about: the words that tell it from the other tickets, and its most typical ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log

from training.placeholders import without_placeholders

TERMS = 5
TYPICAL = 3
LEAST_TICKETS = 2
"""Tickets of a group that a word stands in at least before it names the group."""
LIFT = 2.0
"""A name stands in at least so many times as large a share of the group's tickets as of the others."""
SMOOTHING = 2.0
"""So many tickets are drawn to the share of all tickets: two tickets with a rare word are no name yet."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def name_terms(texts: Sequence[str], background: Sequence[str], terms: int = TERMS) -> tuple[str, ...]:
    """Words and pairs of words that most tell ``texts`` from ``background``, which holds them too; one language.

    Class TF-IDF (Grootendorst 2022, BERTopic) over tickets: the share of the group's tickets with a term, times the
    log of how much larger it is than elsewhere. What all customers write (my, please, order) names nothing.
    """
    mine = Counter(term for text in texts for term in _terms(text))
    everywhere = Counter(term for text in background for term in _terms(text))
    n, total = len(texts), max(len(background), len(texts))
    weights = {}
    for term, count in mine.items():
        usual = (everywhere[term] - count + 0.5) / (total - n + 1)
        share = (count + SMOOTHING * usual) / (n + SMOOTHING)
        if count >= min(LEAST_TICKETS, n) and share > LIFT * usual:
            weights[term] = share * log(share / usual)
    chosen: list[str] = []
    for term in sorted(weights, key=lambda term: (-weights[term], term)):
        words = set(term.split())
        # A word of a better pair says nothing more, and a pair of better words neither.
        if not any(words <= set(other.split()) or words >= set(other.split()) for other in chosen):
            chosen.append(term)
        if len(chosen) == terms:
            break
    return tuple(chosen)


def typical(texts: Sequence[str], locales: Sequence[str], language: str, n: int = TYPICAL) -> list[int]:
    """Positions of the ``n`` most typical texts, those in the reader's language first; each text once.

    ``texts`` come in order, the most typical first.
    """
    order = sorted(range(len(texts)), key=lambda i: (locales[i] != language, i))
    found: list[int] = []
    seen: set[str] = set()
    for i in order:
        if texts[i] not in seen:
            seen.add(texts[i])
            found.append(i)
    return found[:n]


def spoken(locales: Sequence[str], language: str) -> str:
    """The language to name a group in: the reader's where two of its tickets are, or else its most frequent one."""
    counts = Counter(locales)
    if not counts or counts[language] >= LEAST_TICKETS:
        return language
    return max(sorted(counts), key=lambda locale: counts[locale])


def _terms(text: str) -> set[str]:
    words = _WORD.findall(without_placeholders(text).lower())
    return {word for word in words if len(word) > 1} | {f"{one} {two}" for one, two in pairwise(words)}
