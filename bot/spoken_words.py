"""The words of a message."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][^\W\d_]+)*")


def spoken_words(text: str) -> list[str]:
    """The words of at least two letters in ``text``, as written."""
    return _WORD.findall(text)


def count_words(text: str) -> int:
    """How many words of at least two letters ``text`` has."""
    return len(spoken_words(text))
