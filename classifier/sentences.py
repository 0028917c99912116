"""Where a text's sentences lie, for weighing them one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;]*")
_WORD = re.compile(r"\w+")
MIN_WORDS = 2


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence or line; one of less than `MIN_WORDS` words belongs to the next one."""
    return list(_spans(text))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start: int | None = None
    end = 0
    for match in _SENTENCE.finditer(text):
        if not match[0].strip():
            continue
        start = match.start() if start is None else start
        end = match.end()
        if len(_WORD.findall(text, start, end)) >= MIN_WORDS:
            yield start, end
            start = None
    if start is not None:
        yield start, end
