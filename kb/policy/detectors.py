"""What each kind of detector finds: spans ``(start, end)`` of the message's text."""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any

from classifier.language import UNKNOWN, language_identifier
from kb.policy.contacts import Span, find_emails, find_links, find_phones
from kb.policy.kinds import (
    Attachments,
    Confirmation,
    CourtesyOnly,
    Detector,
    Language,
    LateContact,
    Length,
    NoSubstance,
    OptedOut,
    OrderId,
    OtherOrder,
    Pattern,
    RepeatedRequest,
)
from kb.policy.message import ORDER_ID, Message, without_values
from kb.policy.pictures import find_pictures
from kb.policy.wording import denied, excused, find_ideas, find_misspelled, find_near, find_phrases

_QUOTED = re.compile(r"«[^«»\n]*»|„[^„“”\n]*[“”]|“[^“”\n]*”|\"[^\"\n]*\"|<[^<>\n]*>|\b(?:https?://|www\.)\S+|\S+@\S+")
_SENTENCE = re.compile(r"[^.!?;:\n]+")
_NUMBER = re.compile(r"\d[\d.,]*")
_PARAGRAPH = re.compile(r"(?:[^\n]+\n?)+")


def detect(detector: Detector, message: Message) -> Iterator[Span]:
    """The spans that ``detector`` objects to; a finding about the whole message spans all of it."""
    return _FINDERS[detector.kind](detector, message)


def _whole(message: Message) -> Span:
    return message.body_start, len(message.text)


def _pattern(detector: Pattern, message: Message) -> Iterator[Span]:
    if detector.not_in_channel and message.context.channel == detector.not_in_channel:
        return
    for match in detector.pattern.finditer(message.text):
        yield match.span()


def _length(detector: Length, message: Message) -> Iterator[Span]:
    if len(message.body) > detector.at_most:
        yield message.body_start + detector.at_most, len(message.text)


def _language(detector: Language, message: Message) -> Iterator[Span]:
    """Paragraph by paragraph and sentence by sentence where they are long enough, else the body as a whole.

    What is quoted, tags and addresses say nothing about the language.
    """
    body = without_values(message.body, message.context.other_language, " ")
    quoteless = _QUOTED.sub(lambda match: " " * len(match[0]), body)
    pieces = [match.span() for match in _PARAGRAPH.finditer(quoteless)]
    long = [span for span in pieces if _letters(quoteless[span[0] : span[1]]) >= detector.min_letters]
    if not long and _letters(quoteless) >= detector.min_letters // 2:
        long = [(0, len(body))]
    sentences = (match.span() for match in _SENTENCE.finditer(quoteless))
    long += [span for span in sentences if _letters(quoteless[slice(*span)]) >= detector.sentence_letters]
    # A paragraph of one sentence is judged once.
    known: dict[str, str] = {}
    for start, end in long:
        words = quoteless[start:end].strip(" .!?;:\n")
        found = known[words] = known.get(words) or language_identifier().identify(words)
        if found not in {UNKNOWN, message.locale}:
            yield message.body_start + start, message.body_start + len(body[:end].rstrip())


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


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


def _says_something(substance: str, message: Message, small_talk: str | None = None) -> bool:
    """Whether the body asks a question that is no small talk, or says what this order needs."""
    body = bisect_left(message.folded.origin, message.body_start)
    if any(found[0] >= body for lexicon in message.own_lexicons for found in message.find(lexicon, substance)):
        return True
    text = message.folded.text
    return any(
        "?" in text[start:end]
        and not (small_talk and excused((small_talk,), message, start, end, message.own_lexicons))
        for start, end in message.sentences
        if start >= body
    )


def _confirmation(detector: Confirmation, message: Message) -> Iterator[Span]:
    if _says_something(detector.substance, message):
        return
    for lexicon in message.lexicons:
        for status in message.find(lexicon, detector.alone):
            if not denied(lexicon, status, message):
                yield message.folded.span(*status)
        for thing in message.find(lexicon, detector.list):
            start, end = message.sentence_around(thing[0])
            for status in message.find(lexicon, detector.other):
                near = start <= status[0] < end and message.folded.words_between(thing, status) <= detector.within
                if near and not denied(lexicon, status, message):
                    yield message.folded.span(min(thing[0], status[0]), max(thing[1], status[1]))
                    break


def _courtesy_only(detector: CourtesyOnly, message: Message) -> Iterator[Span]:
    if _says_something(detector.substance, message, detector.small_talk):
        return
    courtesies = [span for lexicon in message.lexicons for span in message.find(lexicon, detector.list)]
    body = [span for span in message.sentences if message.folded.origin[span[0]] >= message.body_start]

    def substantial(sentence: Span) -> bool:
        text = message.folded.text[sentence[0] : sentence[1]]
        if _NUMBER.search(ORDER_ID.sub("", text)):
            return True
        return (
            len(text.split()) > detector.short_sentence
            and not ORDER_ID.search(text)
            and not any(sentence[0] <= start < sentence[1] for start, _ in courtesies)
        )

    if courtesies and body and not any(substantial(sentence) for sentence in body):
        yield _whole(message)


def _no_substance(detector: NoSubstance, message: Message) -> Iterator[Span]:
    body = ORDER_ID.sub("", message.body)
    if len(body.split()) > detector.at_most or _NUMBER.search(body):
        return
    if excused(detector.unless, message, 0, len(message.folded.text)):
        return
    if not _says_something(detector.substance, message, detector.small_talk):
        yield _whole(message)


def _repeated_request(detector: RepeatedRequest, message: Message) -> Iterator[Span]:
    if message.context.feedback_requests:
        for lexicon in message.lexicons:
            for span in message.find(lexicon, detector.list):
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
    "phrases": find_phrases,
    "misspelled": find_misspelled,
    "near": find_near,
    "ideas": find_ideas,
    "pattern": _pattern,
    "links": find_links,
    "emails": find_emails,
    "phones": find_phones,
    "length": _length,
    "language": _language,
    "order_id": _order_id,
    "other_order": _other_order,
    "courtesy_only": _courtesy_only,
    "no_substance": _no_substance,
    "confirmation": _confirmation,
    "pictures": find_pictures,
    "repeated_request": _repeated_request,
    "opted_out": _opted_out,
    "late_contact": _late_contact,
    "attachments": _attachments,
}
