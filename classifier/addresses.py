"""Streets and postcodes in a message, by the formats of the countries that its languages are spoken in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from classifier.datafile import load_yaml
from classifier.patterns import PatternFile, found_span

Part = Literal["street", "postcode"]
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
    """Start and end of each street with its house number, or of each postcode; spans may overlap."""
    if not (_DIGIT if part == "postcode" else _LETTERS).search(text):
        return
    for pattern in _patterns()[part]:
        for match in pattern.finditer(text):
            yield found_span(match)
