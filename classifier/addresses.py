"""Streets and postcodes in a message, by the formats of the countries that its languages are spoken in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from classifier.datafile import load_yaml
from classifier.patterns import PatternFile, found_span

Part = Literal["street", "postcode"]
_MOST_DETAILS = 4
"""So many details (stairs, floor, flat) are read behind a house number."""
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]{2}")


@cache
def _patterns() -> dict[str, list[re.Pattern[str]]]:
    data = load_yaml(Path(__file__).parent / "data" / "addresses.yaml", PatternFile)
    by_kind: dict[str, list[re.Pattern[str]]] = {}
    for kind, pattern in data.compiled():
        by_kind.setdefault(kind, []).append(pattern)
    return by_kind


def find_address_parts(text: str, part: Part) -> Iterator[tuple[int, int]]:
    """Start and end of each street with its house number, or of each postcode; spans may overlap.

    A street goes on over the stairs, the floor and the flat; what stands behind it in the place of a postcode is one.
    """
    if not (_DIGIT if part == "postcode" else _LETTERS).search(text):
        return
    if part == "street":
        yield from _streets(text)
        return
    for pattern in _patterns()["postcode"]:
        for match in pattern.finditer(text):
            yield found_span(match)
    for _, end in _streets(text):
        for pattern in _patterns()["behind_street"]:
            if behind := pattern.match(text, end):
                yield found_span(behind)
                break


@lru_cache(maxsize=8)
def _streets(text: str) -> tuple[tuple[int, int], ...]:
    """Kept for a moment, since a ticket is asked for its postcodes and then for its streets."""
    kinds = ("street_unnumbered", "street") if _DIGIT.search(text) else ("street_unnumbered",)
    found = (found_span(match) for kind in kinds for pattern in _patterns()[kind] for match in pattern.finditer(text))
    return tuple((start, _with_details(text, end)) for start, end in dict.fromkeys(found))


def _with_details(text: str, end: int) -> int:
    for _ in range(_MOST_DETAILS):
        follows = next((match for pattern in _patterns()["detail"] if (match := pattern.match(text, end))), None)
        if follows is None:
            break
        end = follows.end()
    return end
