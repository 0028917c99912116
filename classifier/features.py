"""What the model sees of a ticket: an embedding of its words and TF-IDF of its words and letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.folding import fold
from classifier.reading import Reading, read

_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.I)
_ADDRESS = re.compile(r"(?<![^\s@])[^\s@]++@[^\s@]+\.\w+")
_HANDLE = re.compile(r"(?<!\w)@\w+")
# Possessive and anchored at a word's start: linear on any input.
_NUMBER = re.compile(r"(?:(?<!\w)#|(?<![\w-]))(?:(?:[^\W\d]|-)*+\d){3}[\w-]*+")
_SPACES = re.compile(r"[ \t]+")

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
        return self

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """``float32 (n, v)``, the families side by side."""
        if not texts:
            return sparse.csr_matrix((0, sum(len(family.idf_) for family in self._families.values())), dtype=np.float32)
        # Validating its parameters takes scikit-learn longer than transforming one ticket.
        with config_context(skip_parameter_validation=True, assume_finite=True):
            return sparse.hstack([family.transform(texts) for family in self._families.values()], format="csr")

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
