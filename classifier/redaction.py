"""Personal data out, typed placeholders in, before text reaches logs, training data or vectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml
from classifier.entities import MAX_CHARACTERS, Entity, find_entities

PERSONAL = frozenset(
    {"email", "phone", "order_id", "tracking", "url", "vat_id", "iban", "card", "name", "street", "postcode"}
)
"""Kinds that identify a person or an order and are therefore replaced."""

_MARGIN = 1_000
"""Characters on both sides of a window, more than any entity with the words that explain it."""

_PERSON = r"[A-ZÀ-ÖØ-Þ][\w'’-]+(?:[ \t]+[A-ZÀ-ÖØ-Þ][\w'’.-]*){0,3}"
"""What ``\\p`` stands for in the data file: one to four capitalised words."""


class RedactionPatterns(BaseModel):
    """The data file ``redaction.yaml``: kind to patterns; a group named ``keep`` stays in the text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patterns: dict[str, tuple[str, ...]]


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    data = load_yaml(Path(__file__).parent / "data" / "redaction.yaml", RedactionPatterns)
    return tuple(
        (kind, re.compile(pattern.replace(r"\p", _PERSON)))
        for kind, patterns in data.patterns.items()
        for pattern in patterns
    )


def redact(text: str, language: str = "en", known: Iterable[str] = ()) -> str:
    """``text`` with personal data as ``[EMAIL]``, ``[PHONE]``, ``[ORDER_ID]``, ``[NAME]``...

    ``known`` are values from the ticket's own fields (the customer's name, street), replaced wherever they stand.
    """
    for kind, pattern in _patterns():
        text = pattern.sub(lambda match, kind=kind: _replaced(match, kind), text)  # type: ignore[misc]
    parts, end = [], 0
    for entity in _personal(text, language):
        if entity.start >= end:
            parts += [text[end : entity.start], f"[{entity.kind.upper()}]"]
            end = entity.end
    text = "".join([*parts, text[end:]])
    for value in sorted({value.strip() for value in known if len(value.strip()) > 2}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "[NAME]", text, flags=re.I)
    return text


def _personal(text: str, language: str) -> Iterator[Entity]:
    """Personal entities of the whole text, in order: `find_entities` reads one window of it at a time."""
    stride = MAX_CHARACTERS - 2 * _MARGIN
    for start in range(0, len(text), stride):
        offset = max(0, start - _MARGIN)
        for entity in find_entities(text[offset : start + stride + _MARGIN], language):
            if entity.kind in PERSONAL and start <= entity.start + offset < start + stride:
                yield replace(entity, start=entity.start + offset, end=entity.end + offset)


def _replaced(match: re.Match[str], kind: str) -> str:
    keep = match.groupdict().get("keep") or ""
    return f"{keep}[{kind.upper()}]"
