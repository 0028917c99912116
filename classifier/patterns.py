"""Patterns in data files that are built from named parts, so that a word list stands once.

``{{street_type}}`` in a pattern stands for the part of that name. A part is a pattern, or a list of alternatives; it
may use parts that stand before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from classifier.datafile import regular_expression

_REFERENCE = re.compile(r"\{\{(\w+)\}\}")


@cache
def _letters() -> Mapping[str, str]:
    """The parts that every file may use: characters of a class that ``re`` has no name for."""
    latin = [character for character in map(chr, range(0x41, 0x250)) if character.isalpha() and character not in "ªº"]
    return {
        "capital": f"[{''.join(letter for letter in latin if letter.isupper())}]",
        "letter": f"[{''.join(latin)}]",
    }


def expand(pattern: str, parts: Mapping[str, str]) -> str:
    """``pattern`` with every reference replaced. Raises ValueError for a part that is not there."""

    def part(reference: re.Match[str]) -> str:
        if (text := parts.get(reference[1])) is None:
            raise ValueError(f"pattern {pattern!r} uses {reference[0]}, but no part before it has that name")
        return text

    return _REFERENCE.sub(part, pattern)


def _alternatives(value: str | tuple[str, ...]) -> str:
    # Longest first: the first alternative that fits wins.
    return value if isinstance(value, str) else f"(?:{'|'.join(sorted(value, key=len, reverse=True))})"


def _expanded_parts(value: Mapping[str, str | tuple[str, ...]]) -> dict[str, str]:
    parts = dict(_letters())
    for name, listed in value.items():
        parts[name] = expand(_alternatives(listed), parts)
        regular_expression(parts[name])
    return parts


def _expanded(pattern: str, info: ValidationInfo) -> str:
    # Without parts the mistake was in them, and is reported there.
    return regular_expression(expand(pattern, info.data["parts"])).pattern if "parts" in info.data else pattern


BuiltPattern = Annotated[str, AfterValidator(_expanded)]
"""A field of a `PatternFile` that holds a regular expression with references to ``parts``."""


class PatternFile(BaseModel):
    """A data file of patterns by kind. What a group named ``it`` matches is the find, else the whole match."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parts: Annotated[dict[str, str | tuple[str, ...]], AfterValidator(_expanded_parts)] = Field(
        default_factory=dict, validate_default=True
    )
    patterns: dict[str, tuple[BuiltPattern, ...]]

    def compiled(self) -> list[tuple[str, re.Pattern[str]]]:
        """Kind and pattern, in the file's order."""
        return [(kind, re.compile(pattern)) for kind, listed in self.patterns.items() for pattern in listed]


def found_span(match: re.Match[str]) -> tuple[int, int]:
    """Start and end of the group ``it``, or of the match."""
    return match.span("it") if "it" in match.re.groupindex else match.span()
