"""Text folded for matching words as people type them: lower case, no accents, plain apostrophes and spaces."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "´": "'", "ß": "ss", "œ": "oe", "æ": "ae", "ø": "o", "\u00a0": " "}
)
_SPACES = re.compile(r"\s+")


def fold(text: str) -> str:
    """Folded text; letters that differ only by accent or case are equal, runs of white space are one space."""
    text = text.lower().translate(_SPECIAL)
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _SPACES.sub(" ", text)
