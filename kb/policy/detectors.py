"""What each kind of detector finds: spans ``(start, end)`` of the message's text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

from classifier.language import UNKNOWN, language_identifier
from kb.policy.contacts import Span, find_emails, find_links, find_phones
from kb.policy.lexicon import Lexicon
from kb.policy.message import ORDER_ID, Message
from kb.policy.rules import (
    Attachments,
    CourtesyOnly,
    Detector,
    Language,
    LateContact,
    Length,
    Near,
    OptedOut,
    OrderId,
    OtherOrder,
    Pattern,
    Phrases,
    RepeatedRequest,
)

_PARAGRAPH = re.compile(r"(?:[^\n]+\n?)+")


def detect(detector: Detector, message: Message) -> Iterator[Span]:
    """The spans that ``detector`` objects to; a finding about the whole message spans all of it."""
    return _FINDERS[detector.kind](detector, message)


def _whole(message: Message) -> Span:
    return message.body_start, len(message.text)


def _denied(lexicon: Lexicon, span: Span, message: Message) -> bool:
    """Denied in the phrase's language or in the message's: a brand name is in several lexicons."""
    own = (lexicon, *(other for other in message.lexicons if other.language == message.locale))
    return any(candidate.negated(span, message.folded) for candidate in own)


def _phrases(detector: Phrases, message: Message) -> Iterator[Span]:
    if detector.fulfilment and message.context.fulfilment != detector.fulfilment:
        return
    for lexicon in message.lexicons:
        if detector.declared_language_only and lexicon.language != message.locale:
            continue
        for span in lexicon.find(detector.list, message.folded):
            if detector.negatable and _denied(lexicon, span, message):
                continue
            yield message.folded.span(*span)


def _near(detector: Near, message: Message) -> Iterator[Span]:
    folded = message.folded
    for lexicon in message.lexicons:
        spans: dict[str, list[Span]] = {
            name: [
                span
                for span in lexicon.find(name, folded)
                if name not in detector.negatable or not _denied(lexicon, span, message)
            ]
            for name in (detector.list, detector.other)
        }
        for first in spans[detector.list]:
            for second in spans[detector.other]:
                if folded.words_between(first, second) <= detector.within:
                    yield folded.span(min(first[0], second[0]), max(first[1], second[1]))
                    break


def _pattern(detector: Pattern, message: Message) -> Iterator[Span]:
    for match in detector.pattern.finditer(message.text):
        yield match.span()


def _length(detector: Length, message: Message) -> Iterator[Span]:
    if len(message.body) > detector.at_most:
        yield message.body_start + detector.at_most, len(message.text)


def _language(detector: Language, message: Message) -> Iterator[Span]:
    """Paragraph by paragraph where they are long enough, else the body as a whole."""
    body = message.body
    for value in sorted(message.context.other_language, key=len, reverse=True):
        if value:
            body = body.replace(value, " " * len(value))
    pieces = [match.span() for match in _PARAGRAPH.finditer(body)]
    long = [span for span in pieces if _letters(body[span[0] : span[1]]) >= detector.min_letters]
    if not long and _letters(body) >= detector.min_letters // 2:
        long = [(0, len(body))]
    for start, end in long:
        found = language_identifier().identify(body[start:end])
        if found not in {UNKNOWN, message.locale}:
            yield message.body_start + start, message.body_start + len(body[:end].rstrip())


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def _order_id(detector: OrderId, message: Message) -> Iterator[Span]:
    found = ORDER_ID.findall(message.text)
    wanted = message.context.order_id
    if (wanted and wanted not in message.text) or (not wanted and not found):
        yield _whole(message)


def _other_order(detector: OtherOrder, message: Message) -> Iterator[Span]:
    if message.context.order_id:
        for match in ORDER_ID.finditer(message.text):
            if match[0] != message.context.order_id:
                yield match.span()


def _courtesy_only(detector: CourtesyOnly, message: Message) -> Iterator[Span]:
    courtesies = [span for lexicon in message.lexicons for span in lexicon.find(detector.list, message.folded)]
    body = [span for span in message.sentences if message.folded.origin[span[0]] >= message.body_start]

    def substantial(sentence: Span) -> bool:
        words = message.folded.text[sentence[0] : sentence[1]].split()
        return len(words) > detector.short_sentence and not any(
            sentence[0] <= start < sentence[1] for start, _ in courtesies
        )

    if courtesies and body and not any(substantial(sentence) for sentence in body):
        yield _whole(message)


def _repeated_request(detector: RepeatedRequest, message: Message) -> Iterator[Span]:
    if message.context.feedback_requests:
        for lexicon in message.lexicons:
            for span in lexicon.find(detector.list, message.folded):
                yield message.folded.span(*span)


def _opted_out(detector: OptedOut, message: Message) -> Iterator[Span]:
    if message.context.opted_out and not message.context.critical:
        yield _whole(message)


def _late_contact(detector: LateContact, message: Message) -> Iterator[Span]:
    completed, sent = message.context.completed_at, message.context.sent_at
    if completed and sent and sent - completed > dt.timedelta(days=detector.days):
        yield _whole(message)


def _attachments(detector: Attachments, message: Message) -> Iterator[Span]:
    files = message.context.attachments or ()
    wrong = any(file.kind not in detector.kinds or file.size > detector.max_bytes for file in files)
    if wrong or len(files) > detector.max_files:
        yield _whole(message)


_FINDERS: dict[str, Callable[[Any, Message], Iterator[Span]]] = {
    "phrases": _phrases,
    "near": _near,
    "pattern": _pattern,
    "links": find_links,
    "emails": find_emails,
    "phones": find_phones,
    "length": _length,
    "language": _language,
    "order_id": _order_id,
    "other_order": _other_order,
    "courtesy_only": _courtesy_only,
    "repeated_request": _repeated_request,
    "opted_out": _opted_out,
    "late_contact": _late_contact,
    "attachments": _attachments,
}
