"""Which of many patterns could match a text at all, found in one pass over it.

A pattern can only match where one of its *atoms* stands: words that every match of it contains one of. All atoms of all
patterns are looked for at once (Aho and Corasick 1975). An automaton over the patterns themselves, as RE2's sets build
it while they read, grows with every combination of patterns begun: with the guard's rules by 40 MB in 500 tickets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import ahocorasick

# Python's own parser of patterns, so that they are read as `re` reads them.
from re import _constants as code  # type: ignore[attr-defined]  # isort: skip
from re import _parser as parser  # type: ignore[attr-defined]  # isort: skip

MOST_WORDS = 256
"""Alternatives that are written out; a part with more of them is left out of the atoms."""
SHORTEST = 2
"""Letters of an atom; a pattern whose best atoms are shorter could match everywhere."""
LONG_ENOUGH = 6
"""Letters from which on an atom is as rare as it need be."""

Words = frozenset[str]
_NOTHING: Words = frozenset({""})


@dataclass(frozen=True)
class _Said:
    """What a part of a pattern matches: one of ``exact`` (None: more than these), with one of ``needed`` in it."""

    exact: Words | None
    needed: Words | None


def atoms(pattern: str) -> Words | None:
    """Words of which each match of ``pattern`` contains at least one; None where there are no such."""
    parsed = parser.parse(pattern)
    if parsed.state.flags & re.IGNORECASE:
        return None
    needed = _sequence(parsed).needed
    return needed if needed and min(map(len, needed)) >= SHORTEST else None


class Prefilter:
    """Finds the ``patterns`` that could match a text, by their number."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._always: list[int] = []
        owners: dict[str, set[int]] = {}
        for number, pattern in enumerate(patterns):
            found = atoms(pattern)
            if found is None:
                self._always.append(number)
            for atom in found or ():
                owners.setdefault(atom, set()).add(number)
        self._automaton = ahocorasick.Automaton()
        for atom, numbers in owners.items():
            self._automaton.add_word(atom, tuple(numbers))
        self._any = bool(owners)
        if self._any:
            self._automaton.make_automaton()

    def of(self, text: str) -> set[int]:
        """Numbers of the patterns that could match ``text``."""
        found = set(self._always)
        if self._any:
            for _, numbers in self._automaton.iter(text):
                found.update(numbers)
        return found


def _sequence(parts: Iterable[Any]) -> _Said:
    """Neighbouring exact parts are joined into longer words; of all that is needed the rarest is kept."""
    runs: list[Words] = []
    run, exact = _NOTHING, True
    for said in _said(parts):
        if said.exact is not None and len(run) * len(said.exact) <= MOST_WORDS:
            run = frozenset(before + after for before, after in product(run, said.exact))
            continue
        exact = False
        runs.append(run)
        run = said.exact if said.exact is not None else _NOTHING
        if said.exact is None and said.needed:
            runs.append(said.needed)
    runs.append(run)
    return _Said(run if exact else None, max(runs, key=_rarity))


def _said(parts: Iterable[Any]) -> Iterator[_Said]:
    """What each part says; neighbouring letters are one word, for most of a pattern is letters."""
    word = ""
    for what, detail in parts:
        if what is code.LITERAL:
            word += chr(detail)
            continue
        if word:
            yield _exactly([word])
            word = ""
        yield _part(what, detail)
    if word:
        yield _exactly([word])


def _rarity(words: Words) -> tuple[int, int]:
    return min(LONG_ENOUGH, *map(len, words)) if words else 0, -len(words)


def _part(what: Any, detail: Any) -> _Said:
    if what in (code.AT, code.ASSERT, code.ASSERT_NOT):
        return _exactly([""])
    if what is code.IN:
        return _one_of(detail)
    if what is code.SUBPATTERN:
        _, added, _, parts = detail
        return _Said(None, None) if added & re.IGNORECASE else _sequence(parts)
    if what is code.ATOMIC_GROUP:
        return _sequence(detail)
    if what is code.BRANCH:
        return _branches([_sequence(branch) for branch in detail[1]])
    if what in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
        return _repeated(*detail)
    return _Said(None, None)


def _exactly(words: Iterable[str]) -> _Said:
    said = frozenset(words)
    return _Said(said, said)


def _one_of(members: Sequence[tuple[Any, Any]]) -> _Said:
    if all(what is code.LITERAL for what, _ in members) and len(members) <= 8:
        return _exactly(chr(letter) for _, letter in members)
    return _Said(None, None)


def _branches(said: Sequence[_Said]) -> _Said:
    exact: Words | None = frozenset().union(*(one.exact or () for one in said))
    if any(one.exact is None for one in said) or len(exact or ()) > MOST_WORDS:
        exact = None
    if any(not one.needed for one in said):
        return _Said(exact, None)
    return _Said(exact, frozenset().union(*(one.needed or () for one in said)))


def _repeated(least: int, most: int, parts: Any) -> _Said:
    said = _sequence(parts)
    if (least, most) == (0, 1) and said.exact is not None:
        return _exactly(said.exact | _NOTHING)
    return _Said(None, said.needed if least else None)
