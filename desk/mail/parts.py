"""The parts of a mail: which are its text, which are attachments, and what a bounce reports."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage, Message
from typing import Any, TypeVar

from desk.mail.html_text import html_text

MAX_DEPTH = 30
MAX_PARTS = 500
MAX_FILE_NAME = 150

Value = TypeVar("Value")

_REFUSED_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"})
_WESTERN = frozenset({"ascii", "iso8859-1", "iso8859-15", "cp1252", "latin-1"})
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\<>:\"|?*\u202a-\u202e\u2066-\u2069]+")
_FINAL = re.compile(r"^action:\s*failed", re.I | re.M)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a mail; its content stays in the mailbox. ``size`` in bytes, decoded."""

    name: str
    type: str
    size: int


@dataclass(slots=True)
class Parts:
    """What a mail is made of; ``returned_ids`` and ``failed`` come from a bounce's report."""

    texts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    forwarded: list[EmailMessage] = field(default_factory=list)
    returned_ids: list[str] = field(default_factory=list)
    is_report: bool = False
    failed: bool = False
    seen: int = 0

    @property
    def text(self) -> str:
        """All text, in order."""
        return "\n\n".join(text.strip("\r\n") for text in self.texts if text.strip())


def attempt(read: Callable[[], Value], otherwise: Value | Any) -> Value | Any:
    """What ``read`` gives, or ``otherwise`` when a parser of the standard library fails on a broken part."""
    try:
        return read()
    except Exception:  # noqa: BLE001  # KeyError, IndexError, AttributeError, ...: the parsers promise nothing
        return otherwise


def collect(message: EmailMessage, *, forwards: bool = True) -> Parts:
    """Go through all parts, at most `MAX_PARTS`. With ``forwards`` off, mails within the mail are attachments only."""
    parts = Parts()
    _visit(message, parts, 0, forwards)
    return parts


def _visit(part: Any, parts: Parts, depth: int, forwards: bool) -> None:
    parts.seen += 1
    if parts.seen > MAX_PARTS or depth > MAX_DEPTH:
        return
    kind = attempt(part.get_content_type, "text/plain")
    children = part.get_payload() if part.is_multipart() else []
    if kind == "message/delivery-status":
        parts.is_report = True
        parts.failed |= any(_FINAL.search(attempt(child.as_string, "")) for child in children)
    elif kind in ("message/rfc822", "message/global"):
        _forwarded(children, parts, forwards)
    elif kind in ("text/rfc822-headers", "message/rfc822-headers"):
        _returned(message_from_string(text_of(part), policy=policy.default), parts)
    elif kind == "multipart/alternative":
        _alternative(children, parts, depth, forwards)
    elif children:
        for child in children:
            _visit(child, parts, depth + 1, forwards)
    else:
        _leaf(part, kind, parts)


def _leaf(part: Any, kind: str, parts: Parts) -> None:
    name = attempt(part.get_filename, None)
    attached = attempt(part.get_content_disposition, None) == "attachment"
    if kind in ("text/plain", "text/html") and not attached and not name:
        text = text_of(part)
        parts.texts.append(html_text(text) if kind == "text/html" else text)
    elif kind.startswith("multipart/"):  # one without a boundary: the parser leaves its text as it is
        parts.texts.append(text_of(part))
    else:
        parts.attachments.append(Attachment(_file_name(name, kind), kind[:100], len(_bytes_of(part))))


def _alternative(children: list[Any], parts: Parts, depth: int, forwards: bool) -> None:
    """The same text in several forms: the plain one, or the HTML where the plain one says nothing."""
    forms: list[tuple[str, Parts]] = []
    for child in children:
        form = Parts(seen=parts.seen)
        _visit(child, form, depth + 1, forwards)
        parts.seen = form.seen
        parts.attachments += form.attachments
        parts.forwarded += form.forwarded
        parts.returned_ids += form.returned_ids
        forms.append((attempt(child.get_content_type, "text/plain"), form))
    spoken = [(kind, form) for kind, form in forms if form.text]
    chosen = next((form for kind, form in spoken if kind == "text/plain"), spoken[-1][1] if spoken else None)
    if chosen:
        parts.texts += chosen.texts


def _forwarded(children: list[Any], parts: Parts, forwards: bool) -> None:
    for child in children:
        if parts.is_report:
            _returned(child, parts)
            continue
        subject = attempt(lambda child=child: str(child["subject"] or ""), "")  # type: ignore[misc]
        size = len(attempt(child.as_bytes, b""))
        parts.attachments.append(Attachment(_file_name(subject, "message/rfc822"), "message/rfc822", size))
        if forwards:
            parts.forwarded.append(child)


def _returned(message: Message, parts: Parts) -> None:
    found = attempt(lambda: str(message["message-id"] or ""), "").strip().strip("<>")
    if found and not re.search(r"\s", found):
        parts.returned_ids.append(found)


def _file_name(name: str | None, kind: str) -> str:
    return _UNSAFE.sub("_", name or "").strip(" ._")[:MAX_FILE_NAME] or f"unnamed {kind.replace('/', ' ')[:60]}"


def _bytes_of(part: Any) -> bytes:
    payload = attempt(lambda: part.get_payload(decode=True), None)
    if isinstance(payload, bytes):
        return payload
    raw = attempt(part.get_payload, "")
    return raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else b""


def text_of(part: Any) -> str:
    """A text part in Unicode, line ends as ``\\n``."""
    declared = attempt(part.get_content_charset, None)
    return decoded(_bytes_of(part), declared).replace("\r\n", "\n").replace("\r", "\n")


def decoded(data: bytes, declared: str | None) -> str:
    """``data`` in Unicode by its declared charset, unless that is unknown or plainly wrong."""
    name = attempt(lambda: codecs.lookup(str(declared)).name, None) if declared else None
    if name in _REFUSED_CHARSETS:
        name = None
    # 8-bit text of western Europe is hardly ever valid UTF-8 by chance, but UTF-8 is often declared as Latin-1
    for charset in ("utf-8", "cp1252") if name is None or name in _WESTERN else (name, "utf-8", "cp1252"):
        text = attempt(lambda charset=charset: data.decode(charset), None)  # type: ignore[misc]
        if isinstance(text, str):
            return text.removeprefix("\ufeff")
    return data.decode("cp1252", "replace")
