"""What the model sees of a ticket: an embedding of its words and TF-IDF of its words and letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.folding import fold
from classifier.reading import Reading, read

_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.I)
_ADDRESS = re.compile(r"(?<![^\s@])[^\s@]++@[^\s@]+\.\w+")
_HANDLE = re.compile(r"(?<!\w)@\w+")
# Possessive and anchored at a word's start: linear on any input.
_NUMBER = re.compile(r"(?:(?<!\w)#|(?<![\w-]))(?:(?:[^\W\d]|-)*+\d){3}[\w-]*+")
_SPACES = re.compile(r"[ \t]+")

WORDS_KEPT = 20_000
"""Words whose letters are kept, some 5 MB."""
_DERIVED = frozenset({"_vocabularies", "_idf", "_spell", "_letters_of"})
WORDS = "words"
LETTERS = "letters"


def feature_text(subject: str, body: str) -> str:
    """What the model sees of a ticket, see `features_of`."""
    return features_of(read(subject, body))


def features_of(reading: Reading) -> str:
    """The ticket's own words with links, addresses, handles and long numbers as plain words.

    Identifiers say that something was named, never what the ticket is about, and they carry personal data.
    """
    text = _LINK.sub(" link ", reading.text)
    text = _ADDRESS.sub(" email ", text)
    text = _HANDLE.sub(" ", text)
    text = _NUMBER.sub(" 000 ", text)
    return _SPACES.sub(" ", text).strip()


class LexicalFeatures:
    """Word 1-2-grams and within-word 3-5-letter n-grams of folded text, TF-IDF weighted, unit length per family.

    Letters carry typos, missing accents and German compounds; words carry phrases.
    """

    def __init__(self, families: dict[str, TfidfVectorizer] | None = None) -> None:
        self._families = families or {
            WORDS: TfidfVectorizer(**_SETTINGS[WORDS], min_df=2, preprocessor=fold),
            LETTERS: TfidfVectorizer(**_SETTINGS[LETTERS], min_df=3, preprocessor=fold),
        }

    def fit(self, texts: Sequence[str]) -> LexicalFeatures:
        """Learn vocabulary and document frequencies."""
        for family in self._families.values():
            family.fit(texts)
        for derived in _DERIVED:
            self.__dict__.pop(derived, None)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _DERIVED}

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """``float32 (n, v)``, the families side by side: what scikit-learn's vectorizers give, sooner."""
        columns: list[int] = []
        ends = [0]  # of the columns of each family of each text
        for text in texts:
            for found in self._columns_of(fold(text)):
                columns += found
                ends.append(len(columns))
        return _weighted(np.array(columns, dtype=np.int32), np.array(ends), len(self._families), self._idf)

    def _columns_of(self, folded: str) -> Iterator[list[int]]:
        """The columns of a text's terms, as often as they occur, by family."""
        for name, column_of in self._vocabularies.items():
            if name == LETTERS:
                yield [column for word in folded.split() for column in self._letters_of(word)]
            else:
                tokens = _TOKEN.findall(folded)
                terms = [*tokens, *map(" ".join, pairwise(tokens))]  # as the family's ngram_range says
                yield [column_of[term] for term in terms if term in column_of]

    def _columns_of_letters(self, word: str) -> tuple[int, ...]:
        column_of = self._vocabularies[LETTERS]
        return tuple(column_of[term] for term in self._spell(word) if term in column_of)

    # What follows from the vocabularies is made when it is first asked for: fitting changes them.

    @cached_property
    def _vocabularies(self) -> dict[str, dict[str, int]]:
        """The column of each term, by family; the families stand side by side."""
        found, first = {}, 0
        for name, family in self._families.items():
            found[name] = {term: first + int(column) for term, column in family.vocabulary_.items()}
            first += len(family.vocabulary_)
        return found

    @cached_property
    def _idf(self) -> NDArray[np.float32]:
        return np.concatenate([family.idf_ for family in self._families.values()]).astype(np.float32)

    @cached_property
    def _spell(self) -> Callable[[str], list[str]]:
        analyse: Callable[[str], list[str]] = self._families[LETTERS].build_analyzer()
        return analyse

    @cached_property
    def _letters_of(self) -> Callable[[str], tuple[int, ...]]:
        """Letters are counted within a word, and words come again and again: each is spelled once."""
        return lru_cache(WORDS_KEPT)(self._columns_of_letters)

    def occurrences(self, text: str) -> list[tuple[int, int]]:
        """Where each term stands: (column of `transform`, number of the word in ``text.split()``).

        A pair of words counts at both.
        """
        found: list[tuple[int, int]] = []
        first = 0
        for name, family in self._families.items():
            vocabulary, analyse = family.vocabulary_, family.build_analyzer()
            pieces: list[tuple[str, tuple[int, ...]]]
            if name == LETTERS:
                pieces = [(term, (place,)) for place, word in enumerate(text.split()) for term in analyse(word)]
            else:
                tokens = [
                    (token, place) for place, word in enumerate(text.split()) for token in _TOKEN.findall(fold(word))
                ]
                pieces = [(token, (place,)) for token, place in tokens]
                # Pairs, as the family's ngram_range says.
                pieces += [(f"{a} {b}", (i, j)) for (a, i), (b, j) in pairwise(tokens)]
            found += [
                (first + vocabulary[term], place) for term, places in pieces if term in vocabulary for place in places
            ]
            first += len(vocabulary)
        return found

    def state(self) -> tuple[dict[str, list[str]], dict[str, NDArray[np.float32]]]:
        """Vocabulary (terms in column order) and inverse document frequencies per family, as plain data."""
        terms = {name: list(family.get_feature_names_out()) for name, family in self._families.items()}
        frequencies = {name: family.idf_.astype(np.float32) for name, family in self._families.items()}
        return terms, frequencies

    @classmethod
    def from_state(cls, terms: dict[str, list[str]], frequencies: dict[str, NDArray[np.float32]]) -> LexicalFeatures:
        """The inverse of `state`."""
        families = {}
        for name, vocabulary in terms.items():
            index = {term: column for column, term in enumerate(vocabulary)}
            family = TfidfVectorizer(**_SETTINGS[name], vocabulary=index, preprocessor=fold)
            family.idf_ = frequencies[name]
            families[name] = family
        return cls(families)


def _weighted(
    columns: NDArray[np.int32], ends: NDArray[np.int64], families: int, idf: NDArray[np.float32]
) -> sparse.csr_matrix:
    """Occurrences to weights: sublinear counts times inverse document frequency, unit length per family and text."""
    pieces = len(ends) - 1
    piece_of = np.repeat(np.arange(pieces), np.diff(ends))
    keys, counts = np.unique(piece_of.astype(np.int64) * len(idf) + columns, return_counts=True)
    piece_of, columns = np.divmod(keys, max(len(idf), 1))
    weights = (1 + np.log(counts)) * idf[columns]
    lengths = np.sqrt(np.bincount(piece_of, weights=weights * weights, minlength=pieces))
    weights = (weights / lengths[piece_of]).astype(np.float32)
    starts = np.searchsorted(piece_of, np.arange(0, pieces + 1, families))
    return sparse.csr_matrix((weights, columns.astype(np.int32), starts), shape=(pieces // families, len(idf)))


_TOKEN = re.compile(r"(?u)\b\w+\b")
_SETTINGS: dict[str, dict[str, Any]] = {
    WORDS: {
        "analyzer": "word",
        "ngram_range": (1, 2),
        "sublinear_tf": True,
        "dtype": np.float32,
        "token_pattern": _TOKEN.pattern,
    },
    LETTERS: {"analyzer": "char_wb", "ngram_range": (3, 5), "sublinear_tf": True, "dtype": np.float32},
}
