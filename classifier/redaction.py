"""Personal data out, typed placeholders in, before text reaches logs, training data or vectors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml
from classifier.entities import find_entities

PERSONAL = frozenset(
    {"email", "phone", "order_id", "tracking", "url", "vat_id", "iban", "card", "name", "street", "postcode"}
)
"""Kinds that identify a person or an order and are therefore replaced."""

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
    for entity in reversed(find_entities(text, language)):
        if entity.kind in PERSONAL:
            text = f"{text[: entity.start]}[{entity.kind.upper()}]{text[entity.end :]}"
    for value in sorted({value.strip() for value in known if len(value.strip()) > 2}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "[NAME]", text, flags=re.I)
    return text


def _replaced(match: re.Match[str], kind: str) -> str:
    keep = match.groupdict().get("keep") or ""
    return f"{keep}[{kind.upper()}]"
