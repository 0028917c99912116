"""Personal data out, typed placeholders in, before text reaches logs, training data or vectors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from classifier.addresses import find_address_parts
from classifier.datafile import load_yaml
from classifier.entities import find_entities
from classifier.names import find_names
from classifier.patterns import PatternFile, found_span

PERSONAL = frozenset(
    {
        *("email", "phone", "order_id", "tracking", "url", "vat_id", "tax_id", "iban", "card"),
        *("name", "street", "postcode"),
    }
)
"""Kinds that identify a person or an order and are therefore replaced."""

_WITHOUT_DIGITS = frozenset({"email"})
"""The kinds of ``redaction.yaml`` that a text without a digit may hold."""
_DIGIT = re.compile(r"\d")
_WINDOW = 18_000
"""Characters that are read at a time, so that a long text costs no more per character than a short one."""
_MARGIN = 1_000
"""Characters on both sides of a window, more than any find with the words that explain it."""


@dataclass(frozen=True)
class PersonalSpan:
    """What identifies somebody: ``kind`` (one of `PERSONAL`), and where it starts and ends in the text."""

    kind: str
    start: int
    end: int


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return load_yaml(Path(__file__).parent / "data" / "redaction.yaml", PatternFile).compiled()


def find_personal(text: str, language: str = "en") -> list[PersonalSpan]:
    """Everything personal in ``text``, in order; spans never overlap. ``language`` decides how phone numbers read."""
    found: list[PersonalSpan] = []
    for start in range(0, len(text), _WINDOW):
        offset = max(0, start - _MARGIN)
        window = text[offset : start + _WINDOW + _MARGIN]
        found += [
            PersonalSpan(span.kind, span.start + offset, span.end + offset)
            for span in _in_window(window, language)
            if start <= span.start + offset < start + _WINDOW
        ]
    return _joined(found)


def redact(text: str, language: str = "en", known: Iterable[str] = ()) -> str:
    """``text`` with personal data as ``[EMAIL]``, ``[PHONE]``, ``[ORDER_ID]``, ``[NAME]``...

    ``known`` are values from the ticket's own fields (the customer's name, street), replaced wherever they stand.
    """
    parts, end = [], 0
    for span in find_personal(text, language):
        parts += [text[end : span.start], f"[{span.kind.upper()}]"]
        end = span.end
    text = "".join([*parts, text[end:]])
    for value in sorted({value.strip() for value in known if len(value.strip()) > 2}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "[NAME]", text, flags=re.I)
    return text


def _in_window(text: str, language: str) -> Iterator[PersonalSpan]:
    digits = _DIGIT.search(text)
    for kind, pattern in _patterns():
        if not digits and kind not in _WITHOUT_DIGITS:
            continue
        for match in pattern.finditer(text):
            yield PersonalSpan(kind, *found_span(match))
    for entity in find_entities(text, language):
        if entity.kind in PERSONAL:
            yield PersonalSpan(entity.kind, entity.start, entity.end)
    for start, end in find_address_parts(text, "street"):
        yield PersonalSpan("street", start, end)
    for start, end in find_names(text):
        yield PersonalSpan("name", start, end)


def _joined(spans: list[PersonalSpan]) -> list[PersonalSpan]:
    """One span for each run of overlapping ones, of the kind that starts first and reaches furthest."""
    joined: list[PersonalSpan] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = PersonalSpan(last.kind, last.start, max(last.end, span.end))
        else:
            joined.append(span)
    return joined
