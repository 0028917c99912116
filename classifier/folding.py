"""Text folded for matching words as people type them: lower case, no accents, no invisible characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from classifier.datafile import PatternText

_SPECIAL = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'", "ß": "ss", "œ": "oe", "æ": "ae", "ø": "o"})
_INVISIBLE = frozenset({"Mn", "Cf"})
"""Unicode categories without a shape of their own: accents, zero-width characters, soft hyphens."""
_SPACES = re.compile(r"\s+")


@lru_cache(maxsize=4_096)
def fold_character(character: str) -> str:
    """What is left of one character: none, one or several letters in lower case, apostrophes straight."""
    # Compatibility forms such as mathematical letters have a case only after they are taken apart.
    letters = unicodedata.normalize("NFKD", character.lower().translate(_SPECIAL)).lower()
    return "".join(letter for letter in letters if unicodedata.category(letter) not in _INVISIBLE)


def fold(text: str) -> str:
    """Folded text; letters that differ only by accent or case are equal, runs of white space are one space."""
    folded = text.lower().translate(_SPECIAL) if text.isascii() else "".join(map(fold_character, text))
    return _SPACES.sub(" ", folded)


def _can_match(pattern: str) -> str:
    # Classes such as \W are the only capitals that folded text can match.
    plain = re.sub(r"\\[A-Z]", "", pattern)
    if plain != fold(plain):
        raise ValueError(f"pattern {pattern!r} can never match: write it lower case, without accents")
    return pattern


FoldedPattern = Annotated[PatternText, AfterValidator(_can_match)]
"""A field of a schema that holds a regular expression over folded text."""
