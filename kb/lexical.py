"""Lexical search over passages: BM25, and how much of a question's rare words a passage has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from classifier.folding import fold

_WORD = re.compile(r"\w+(?:[-_]\w+)*")


def words_of(text: str, stem_length: int) -> list[str]:
    """Words in lower case without accents, cut to ``stem_length`` letters; codes (with a digit) stay whole."""
    return [word if is_code(word) else word[:stem_length] for word in _WORD.findall(fold(text))]


def is_code(word: str) -> bool:
    """Whether a word is an id, a model number or the like, which only a literal match can find."""
    return len(word) > 1 and any(c.isdigit() for c in word)


class LexicalIndex:
    """BM25 (Lù 2024, arXiv:2407.03618; the lucene variant) over a fixed list of texts."""

    def __init__(self, texts: Sequence[str], stem_length: int) -> None:
        self._stem_length = stem_length
        self._size = len(texts)
        rows = [words_of(text, stem_length) for text in texts]
        self._words = [frozenset(row) for row in rows]
        self._best: dict[str, float] = {}
        self._in: dict[str, int] = {}
        self._index: bm25s.BM25 | None = None
        if any(rows):
            self._index = bm25s.BM25(method="lucene", backend="numpy")
            self._index.index(rows, show_progress=False)
            data, starts = self._index.scores["data"], self._index.scores["indptr"]
            for word in {word for row in rows for word in row}:
                column = self._index.vocab_dict[word]
                start, end = int(starts[column]), int(starts[column + 1])
                self._best[word] = float(data[start:end].max())
                self._in[word] = end - start
        # A word that no passage has is worth as much as the rarest that one has.
        self._rarest = max(self._best.values(), default=1.0)

    def scores(self, question: str) -> NDArray[np.float32]:
        """Float32 (n,): the share 0..1 of the question's words, weighed by rarity, that each text has."""
        words = list(dict.fromkeys(words_of(question, self._stem_length)))
        known = [word for word in words if word in self._best]
        if self._index is None or not known:
            return np.zeros(self._size, dtype=np.float32)
        possible = sum(self._best.get(word, self._rarest) for word in words)
        return np.asarray(self._index.get_scores(known) / possible, dtype=np.float32)

    def spoken(self, question: str) -> dict[str, str]:
        """The words of ``question``, folded and whole, each with the form in which `terms` looks for it."""
        words = dict.fromkeys(_WORD.findall(fold(question)))
        return {word: word if is_code(word) else word[: self._stem_length] for word in words}

    def terms(self, spoken: Mapping[str, str], row: int) -> tuple[str, ...]:
        """Those of the words ``spoken`` that the text in ``row`` has too."""
        has = self._words[row]
        return tuple(word for word, form in spoken.items() if form in has)

    def rare_codes(self, question: str, at_most: int) -> bool:
        """Whether the question has a code that some text has, but at most ``at_most`` of them."""
        words = set(words_of(question, self._stem_length))
        return any(is_code(word) and 0 < self._in.get(word, 0) <= at_most for word in words)
