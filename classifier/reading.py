"""Reading a ticket: the customer's own words, without history, signatures and machine text.

What is stripped here is stripped from features only; the desk keeps and shows the ticket as it came.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import PatternText, load_yaml

MAX_CHARACTERS = 8_000
"""Of a longer message the head and the tail are read: reasons stand early or in the last appeal."""
_HEAD_SHARE = 0.75

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\ufeff]")
_HTML_TAG = re.compile(
    r"<(/?)(html|body|div|p|br|span|table|tr|td|a|b|i|u|em|strong|img|font|li|ul|ol|h[1-6]|style|script|head|meta)(?=[\s/>])[^<>]{0,2000}>",
    re.I,
)
# No block reaches over the start of another one: unclosed tags by the thousand stay linear work.
_HTML_BLOCK = re.compile(r"<(style|script|head)\b(?:(?!</?\1\b).)*+</\1\s*>", re.I | re.S)
_LINE_BREAKING_TAGS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
_HEADER_LINES = 3
"""Lines below a header's first one among which another field of it stands."""
_WRAPPER_LINES = 15
"""Lines at the top of a marketplace's mail in which the customer's words begin; below, the line is part of a quote."""


class MailPatterns(BaseModel):
    """The data file ``mail.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signature_lines: int
    quote_headers: tuple[PatternText, ...]
    device_signatures: tuple[PatternText, ...]
    signature_marks: tuple[PatternText, ...]
    sign_offs: tuple[PatternText, ...]
    boilerplate: tuple[PatternText, ...]
    header_starts: tuple[PatternText, ...]
    header_fields: tuple[PatternText, ...]
    wrapper_starts: tuple[PatternText, ...]
    wrapper_ends: tuple[PatternText, ...]


@dataclass(frozen=True)
class _Compiled:
    signature_lines: int
    quote: re.Pattern[str]
    device: re.Pattern[str]
    mark: re.Pattern[str]
    sign_off: re.Pattern[str]
    boilerplate: re.Pattern[str]
    header_start: re.Pattern[str]
    header_field: re.Pattern[str]
    wrapper_start: re.Pattern[str]
    wrapper_end: re.Pattern[str]


@cache
def _patterns() -> _Compiled:
    data = load_yaml(Path(__file__).parent / "data" / "mail.yaml", MailPatterns)

    def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
        return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.I)

    return _Compiled(
        data.signature_lines,
        any_of(data.quote_headers),
        any_of(data.device_signatures),
        any_of(data.signature_marks),
        any_of(data.sign_offs),
        any_of(data.boilerplate),
        any_of(data.header_starts),
        any_of(data.header_fields),
        any_of(data.wrapper_starts),
        any_of(data.wrapper_ends),
    )


def plain(text: str) -> str:
    """Text without markup, control characters and Windows line ends, in Unicode NFC."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "<" in text and _HTML_TAG.search(text):
        text = _HTML_BLOCK.sub(" ", text)
        text = _HTML_TAG.sub(lambda tag: "\n" if tag[2].lower() in _LINE_BREAKING_TAGS else " ", text)
    if "&" in text:
        text = html.unescape(text)
    return unicodedata.normalize("NFC", _CONTROL.sub("", text))


@dataclass(frozen=True)
class Reading:
    """A ticket as it is read: plain ``subject``, the sender's own ``words``, and the ``whole`` plain body."""

    subject: str
    words: str
    whole: str

    @property
    def text(self) -> str:
        """Subject and own words as one text, the subject first, once where the words start with it."""
        if not self.subject or self.words.lower().startswith(self.subject.lower()):
            return self.words
        return f"{self.subject}\n{self.words}".strip()

    @property
    def everything(self) -> str:
        """Subject and whole body, history included."""
        return f"{self.subject}\n{self.whole}".strip()


def read(subject: str, body: str) -> Reading:
    """Read a ticket."""
    whole = plain(body)
    return Reading(_shorten(plain(subject).strip()), _own_words(whole), whole)


def _own_words(whole: str) -> str:
    """The part of a plain body that its sender wrote now; a mere quote is kept, so that words are never lost."""
    patterns = _patterns()
    lines = _shorten(whole).split("\n")
    judged_lines = [" ".join(line.split()) for line in lines]
    kept: list[str] = []
    for index in range(_wrapped_start(judged_lines, patterns), len(lines)):
        line, judged = lines[index], judged_lines[index]
        if _starts_history(judged_lines, index, patterns):
            if any(part.strip() for part in kept):
                break
            continue
        if patterns.wrapper_end.search(judged):
            break
        if patterns.mark.search(line.rstrip()):
            break
        if judged.startswith(">") or patterns.device.search(judged) or patterns.boilerplate.search(judged):
            continue
        kept.append(line)
    words = "\n".join(_without_signature(kept, patterns)).strip()
    return words or "\n".join(line.lstrip("> ") for line in lines).strip()


def _wrapped_start(judged: list[str], patterns: _Compiled) -> int:
    """The line after a marketplace's opening words, or the first."""
    for index, line in enumerate(judged[:_WRAPPER_LINES]):
        if patterns.wrapper_start.search(line):
            return index + 1
        if _starts_history(judged, index, patterns):
            break
    return 0


def _starts_history(judged: list[str], index: int, patterns: _Compiled) -> bool:
    line = judged[index]
    if not line:
        return False
    if patterns.quote.search(line):
        return True
    below = judged[index + 1 : index + 1 + _HEADER_LINES]
    if patterns.header_start.search(line):
        return any(patterns.header_field.search(other) for other in below)
    # Mail programs wrap a long header; the colon that ends it stands on the next line.
    return bool(below) and below[0].endswith(":") and bool(patterns.quote.search(f"{line} {below[0]}"))


def _without_signature(lines: list[str], patterns: _Compiled) -> list[str]:
    following = 0
    for index in range(len(lines) - 1, 0, -1):
        judged = " ".join(lines[index].split())
        if following > patterns.signature_lines:
            break
        if patterns.sign_off.search(judged) and any(line.strip() for line in lines[:index]):
            return lines[:index]
        following += bool(judged)
    return lines


def _shorten(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    head = int(MAX_CHARACTERS * _HEAD_SHARE)
    return text[:head] + "\n" + text[-(MAX_CHARACTERS - head) :]
