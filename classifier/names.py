"""People's names in a message: from the words around them, from their place, and from a list of given names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml
from classifier.patterns import BuiltPattern, PatternFile, found_span

_DATA = Path(__file__).parent / "data"
_LETTERS = re.compile(r"[^\W\d_]{2}")
_WORD = re.compile(r"\S+")
_HYPHENATED = re.compile(r"(?:-[^\W\d_]{2,20}){1,3}")
_AND = frozenset({"and", "und", "et", "y", "e", "i", "u.", "&", "+"})
_BY_WORDS_ALONE = frozenset({"given", "full", "couple"})
_BEFORE = 16
"""Characters before a find in which a word for a product is looked for."""
_POSSESSIVE = ("'s", "’s")
_INITIAL = re.compile(r"[^\W\d_]\.")
_EDGE = "\"'’.,;:!?()"


class NamePatterns(PatternFile):
    """The data file ``names.yaml``; the kinds are explained there."""

    not_names: tuple[str, ...]
    not_persons: tuple[BuiltPattern, ...]
    not_after: BuiltPattern


class GivenNames(BaseModel):
    """The data file ``given_names.yaml``: names divided by white space."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    given_names: str


@dataclass(frozen=True)
class _Names:
    patterns: list[tuple[str, re.Pattern[str]]]
    given: frozenset[str]
    not_names: frozenset[str]
    not_persons: re.Pattern[str]
    not_after: re.Pattern[str]


@cache
def _names() -> _Names:
    data = load_yaml(_DATA / "names.yaml", NamePatterns)
    given = load_yaml(_DATA / "given_names.yaml", GivenNames).given_names.split()
    return _Names(
        data.compiled(),
        frozenset(name.lower() for name in given),
        frozenset(word for line in data.not_names for word in line.split()),
        re.compile("|".join(rf"(?<!\w)(?:{pattern})(?!\w)" for pattern in data.not_persons)),
        re.compile(rf"(?<!\w){data.not_after}\Z"),
    )


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each name of a person, titles left out; spans may overlap.

    A lone name in the middle of a sentence is found only where the words beside it tell that it is one: brands and
    places are capitalised too.
    """
    if not _LETTERS.search(text):
        return
    names = _names()
    brands = [match.span() for match in names.not_persons.finditer(text)]
    for kind, pattern in names.patterns:
        for match in pattern.finditer(text):
            words = _trimmed(text, found_span(match), names.not_names)
            if kind == "full":
                words = _from_given(words, names.given)
            if not words or not _enough(kind, words, names.given):
                continue
            start, end = words[0].start(), words[-1].end() - 2 * words[-1][0].endswith(_POSSESSIVE)
            if any(start < stop and begin < end for begin, stop in brands):
                continue
            before = text[max(0, start - _BEFORE) : start]
            if kind in _BY_WORDS_ALONE and before[-1:] == " " and names.not_after.search(before[:-1]):
                continue
            # Leonie-Sophie: a pattern of small letters stops at the hyphen.
            rest = _HYPHENATED.match(text, end)
            yield start, rest.end() if rest else end


def _trimmed(text: str, span: tuple[int, int], not_names: frozenset[str]) -> list[re.Match[str]]:
    """The words of a find without those at its ends that are no names; small words end a name in small letters."""
    words = list(_WORD.finditer(text, *span))
    while words and words[0][0].strip(_EDGE).lower() in not_names:
        del words[0]
    for index, word in enumerate(words):
        if word[0][0].islower() and word[0].lower() in not_names and not _goes_on(words[index + 1 :]):
            del words[index:]
    while words and words[-1][0].strip(_EDGE).lower() in not_names:
        del words[-1]
    return words


def _goes_on(words: list[re.Match[str]]) -> bool:
    return bool(words) and words[0][0][0].isupper()


def _is_given(word: str, given: frozenset[str]) -> bool:
    return word.strip(_EDGE).lower().split("-")[0] in given


def _from_given(words: list[re.Match[str]], given: frozenset[str]) -> list[re.Match[str]]:
    """From the first given name on that another capitalised word follows."""
    for index, word in enumerate(words[:-1]):
        if _is_given(word[0], given) and words[-1][0][0].isupper():
            return words[index:]
    return []


def _are_couple(words: list[re.Match[str]], given: frozenset[str]) -> bool:
    """Whether given names stand before and behind an and, or a given name before it and a full name behind it."""
    joint = next((index for index, word in enumerate(words) if word[0].lower() in _AND), 0)
    second = words[joint + 1 :]
    return bool(joint and second and _is_given(words[0][0], given)) and (
        _is_given(second[0][0], given) or len(second) > 1
    )


def _enough(kind: str, words: list[re.Match[str]], given: frozenset[str]) -> bool:
    if kind == "couple":
        return _are_couple(words, given)
    if kind == "given":
        full = [word for word in words if not _INITIAL.fullmatch(word[0])]
        return bool(full) and _is_given(full[0][0], given)
    if kind == "likely":
        capitals = sum(word[0][0].isupper() for word in words)
        return (capitals >= 2 and not all(word[0].isupper() for word in words)) or _is_given(words[0][0], given)
    # An initial, an abbreviation or a particle is no name on its own.
    return any(len(word[0].strip(_EDGE)) > _too_short(word[0]) for word in words)


def _too_short(word: str) -> int:
    return 3 if word.isupper() else 2 if word.islower() else 1
