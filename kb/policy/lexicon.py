"""Phrases of five languages as data, found with word boundaries and simple negation.

A phrase is a row of words, any case, accents optional:
`discount*` any ending · `leave|write` either · `a?` may be absent · `..` up to four words of the same sentence,
`...` up to eight.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from classifier.datafile import load_yaml
from classifier.folding import fold, fold_character

LEXICONS = Path(__file__).parent / "lexicons"

# Between two words of a phrase: blanks, quotes, hyphens, emphasis marks and a single line break, but no sentence end.
_SEPARATOR = r"(?:[^\w.!?;:\n]|\n(?!\s*\n)){1,3}"
_GAPS = {mark: rf"(?:{_SEPARATOR}[\w'%]+){{0,{most}}}?" for mark, most in (("..", 4), ("...", 8))}
_LONGEST_NEGATOR = 6
"""Words of the longest phrase that denies; how far beyond a negation's reach its first word may stand."""
_CLAUSE_END = re.compile(r"[.!?;:,()\n–—]")
# Where a phrase may begin: at a word, known by its first letters, or at a sign such as "%".
_OPENING = re.compile(r"(?<!\w)\w{1,4}|[^\w\s]")


@dataclass(frozen=True)
class Folded:
    """A text in lower case without accents and invisible characters, and where each character came from."""

    text: str
    origin: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text behind ``[start, end)``."""
        return self.origin[start], self.origin[end - 1] + 1

    @cached_property
    def word_starts(self) -> list[int]:
        """Where words begin, for counting the words between two positions."""
        return [match.start() for match in re.finditer(r"[\w'%]+", self.text)]

    @cached_property
    def openings(self) -> dict[str, list[int]]:
        """Where each beginning of a word, one to four letters long, and each sign stands."""
        found: dict[str, list[int]] = {}
        for match in _OPENING.finditer(self.text):
            for length in range(1, len(match[0]) + 1):
                found.setdefault(match[0][:length], []).append(match.start())
        return found

    def words_before(self, position: int, count: int) -> int:
        """Where the ``count``-th word before ``position`` begins, or the text."""
        index = bisect_left(self.word_starts, position) - count
        return self.word_starts[index] if index > 0 else 0

    def words_after(self, position: int, count: int) -> int:
        """Where the word behind the ``count`` words after ``position`` begins, or the text ends."""
        index = bisect_left(self.word_starts, position) + count
        return self.word_starts[index] if index < len(self.word_starts) else len(self.text)

    def words_between(self, first: tuple[int, int], second: tuple[int, int]) -> int:
        """Number of words strictly between two spans; 0 where they touch or overlap."""
        left, right = sorted((first, second))
        return max(0, bisect_left(self.word_starts, right[0]) - bisect_left(self.word_starts, left[1]))


def fold_with_origin(text: str) -> Folded:
    """``text`` folded as `classifier.folding.fold` does, but with its line breaks and with its positions."""
    letters = [fold_character(character) for character in text]
    origin = tuple(position for position, folded in enumerate(letters) for _ in folded)
    return Folded("".join(letters), origin)


class Lexicon(BaseModel):
    """One language's data file: phrase lists by name and how that language negates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str
    lists: dict[str, tuple[str, ...]]
    negators: dict[int, tuple[str, ...]]
    """Words before a phrase that negate it, by how many words may lie between."""
    negators_after: tuple[str, ...] = ()
    not_negations: tuple[str, ...] = ()
    """Phrases that contain a negator but deny nothing ("do not miss")."""
    reach_after: int = Field(default=6, ge=0)

    @cached_property
    def _openings(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(_openings(phrases)) for name, phrases in self.lists.items()}

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern[str]]:
        return {}

    def _pattern(self, name: str) -> re.Pattern[str]:
        # Compiled when first tried: most lists of a language are never needed for messages in another.
        if name not in self._patterns:
            self._patterns[name] = phrase_pattern(self.lists[name])
        return self._patterns[name]

    def prepare(self) -> None:
        """Compile the patterns of all lists now, so that no message waits for them: a second or two."""
        _ = self._openings, self._negations, self._negation_after, self._harmless
        for name in self.lists:
            self._pattern(name)

    @cached_property
    def _patterns_as_written(self) -> dict[str, re.Pattern[str]]:
        return {}

    @cached_property
    def _negations(self) -> list[tuple[int, re.Pattern[str]]]:
        return [(reach, phrase_pattern(words)) for reach, words in self.negators.items()]

    @cached_property
    def _negation_after(self) -> re.Pattern[str] | None:
        return phrase_pattern(self.negators_after) if self.negators_after else None

    @cached_property
    def _harmless(self) -> re.Pattern[str] | None:
        return phrase_pattern(self.not_negations) if self.not_negations else None

    def find(self, name: str, folded: Folded) -> Iterator[tuple[int, int]]:
        """Spans in the folded text of the phrases of list ``name``."""
        # Most lists have no phrase that could begin anywhere in a message: the pattern is tried only where one could.
        openings = self._openings.get(name, frozenset()) & folded.openings.keys()
        if not openings:
            return
        pattern, end = self._pattern(name), 0
        for start in sorted({start for opening in openings for start in folded.openings[opening]}):
            if start >= end and (match := pattern.match(folded.text, start)):
                yield match.span()
                end = match.end()

    def find_as_written(self, name: str, lowered: Folded) -> Iterator[tuple[int, int]]:
        """Spans of the phrases of list ``name`` in a text with its accents, for which accents count."""
        if not self.lists.get(name):
            return
        if name not in self._patterns_as_written:
            self._patterns_as_written[name] = phrase_pattern(self.lists[name], lower_case)
        for match in self._patterns_as_written[name].finditer(lowered.text):
            yield match.span()

    def negated(self, span: tuple[int, int], folded: Folded) -> bool:
        """Whether the clause around ``span``, or a word in a gap of it, denies it."""
        text = _without(self._harmless, folded.text) if self._harmless else folded.text
        start = folded.words_before(span[0], max(self.negators, default=0) + _LONGEST_NEGATOR)
        clause_starts = [match.end() for match in _CLAUSE_END.finditer(text, start, span[0])]
        before = clause_starts[-1] if clause_starts else start
        for reach, pattern in self._negations:
            for match in pattern.finditer(text, before, span[1]):
                # "without a middleman" says what it means; it is not denied by its own first word.
                if match.start() != span[0] and folded.words_between(match.span(), span) <= reach:
                    return True
        if self._negation_after is None:
            return False
        last = folded.words_after(span[1], self.reach_after + _LONGEST_NEGATOR)
        end = _CLAUSE_END.search(text, span[1], last)
        after = self._negation_after.search(text, span[1], end.start() if end else last)
        return after is not None and folded.words_between(span, after.span()) <= self.reach_after


def lower_case(text: str) -> str:
    """``text`` in lower case with straight apostrophes; accents stay."""
    return unicodedata.normalize("NFC", text).lower().replace("’", "'")


def lowered_with_origin(text: str) -> Folded:
    """``text`` as `lower_case` writes it, with its positions."""
    letters = [character.lower().replace("’", "'") for character in text]
    origin = tuple(position for position, lowered in enumerate(letters) for _ in lowered)
    return Folded("".join(letters), origin)


def phrase_pattern(phrases: Sequence[str], as_text: Callable[[str], str] = fold) -> re.Pattern[str]:
    """One pattern for all ``phrases`` over folded text; the longest alternatives first.

    ``as_text`` is what was done to the text that the pattern will search.
    """
    ordered = [as_text(phrase) for phrase in sorted(phrases, key=len, reverse=True)]
    # One boundary before all alternatives keeps the engine from trying each of them inside of words.
    words = "|".join(f"(?:{_phrase(phrase)})" for phrase in ordered if re.match(r"\w", phrase))
    signs = [f"(?:{_phrase(phrase)})" for phrase in ordered if not re.match(r"\w", phrase)]
    return re.compile("|".join(([rf"(?<!\w)(?=\w)(?:{words})"] if words else []) + signs))


def _openings(phrases: Sequence[str]) -> Iterator[str]:
    """The one to four letters, or the sign, that a match of one of ``phrases`` begins with."""
    for phrase in phrases:
        for word in fold(phrase).split():
            for option in word.rstrip("?").split("|"):
                yield (re.match(r"\w{1,4}|[^\w\s]", option) or [option])[0]
            if not word.endswith("?"):
                break


@lru_cache(maxsize=256)
def _without(harmless: re.Pattern[str], text: str) -> str:
    return harmless.sub(lambda match: "x" * len(match[0]), text)


def _phrase(phrase: str) -> str:
    pattern = ""
    joined = False
    for word in phrase.split():
        if word in _GAPS:
            pattern += _GAPS[word]
            continue
        alternatives = "|".join(_word(option) for option in word.rstrip("?").split("|"))
        piece = f"(?:{alternatives})"
        if word.endswith("?"):
            pattern += f"(?:{_SEPARATOR}{piece})?" if joined else f"(?:{piece}{_SEPARATOR})?"
        else:
            pattern += f"{_SEPARATOR}{piece}" if joined else piece
            joined = True
    return pattern + (r"(?!\w)" if re.search(r"[\w*?]$", phrase) else "")


def _word(word: str) -> str:
    return re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "")


@cache
def starter_lexicons() -> tuple[Lexicon, ...]:
    """The shipped lexicons, one per language. Raises `DataFileError`."""
    return tuple(load_yaml(path, Lexicon) for path in sorted(LEXICONS.glob("*.yaml")))
