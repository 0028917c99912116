"""One mail as bytes, read into what the desk needs of it; whatever is wrong with it is worked around."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import parseaddr, parsedate_to_datetime
from functools import partial
from typing import Any

from desk.mail import MailError
from desk.mail.parts import Attachment, Parts, attempt, collect, decoded

MAX_HEADER = 2_000
"""Characters of a header that are parsed: the library's parsers take quadratic time, and a subject is a line."""
MAX_UNPARSED = 20_000
MAX_BOUNDARIES = 5_000
"""Lines that may begin a part; a mail is read up to so many, since the parser takes minutes for a million."""
MAX_ID = 400
MAX_SUBJECT = 1_000
MAX_NAME = 200
MAX_REFERENCES = 40
"""Of a longer list the newest are kept: a reply names its parent last."""

ADDRESS = re.compile(
    r"[^\s@<>()\[\],;:\"\\]{1,64}@(?=.{1,190}\Z)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_](?:[\w-]{0,61}[^\W_])?"
)
"""An address that mail can go to; stricter than RFC 5322, whose quoted forms nobody uses and attackers do."""
_ID = re.compile(r"<([^<>\s]+)>")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
MARKS = (
    "auto-submitted",
    "x-auto-response-suppress",
    "x-autoreply",
    "x-autorespond",
    "x-autoresponse",
    "precedence",
    "list-id",
    "list-unsubscribe",
    "return-path",
    "x-failed-recipients",
)
"""Headers that tell a machine's mail from a person's."""


class MailUnreadableError(MailError):
    """No parser makes sense of the message."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address that mail can go to, as written, and the name beside it."""

    mailbox: str
    name: str | None = None

    @property
    def key(self) -> str:
        """The address for comparing."""
        return self.mailbox.lower()

    @property
    def domain(self) -> str:
        """What stands behind the @, in lower case."""
        return self.key.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class MailMessage:
    """A mail.

    ``message_id`` and ``references`` (oldest first, the parent last) are without angle brackets. ``text`` is the
    body as received, HTML turned into text, history included. ``marks`` has the headers of `MARKS` that stand in it.
    ``returned`` is, of a bounce, the id of the mail that came back; ``failed`` tells a final bounce from a delay.
    ``identity`` is equal for copies of one mail, and differs between mails that share a Message-ID by mistake.
    """

    identity: str
    message_id: str | None
    references: tuple[str, ...]
    sender: Address | None
    reply_to: Address | None
    subject: str
    text: str
    attachments: tuple[Attachment, ...]
    written_at: datetime | None
    marks: Mapping[str, str]
    is_report: bool = False
    failed: bool = False


def read_message(raw: bytes) -> MailMessage:
    """Read any bytes as a mail. Raises `MailUnreadableError`, and nothing else."""
    first = raw.split(b"\n--", MAX_BOUNDARIES)
    if len(first) > MAX_BOUNDARIES:
        raw = raw[: len(raw) - len(first[-1])]
    try:
        return _read(message_from_bytes(raw, policy=_BOUNDED))  # type: ignore[arg-type]
    except Exception as error:  # the parsers of the standard library fail on hostile mail in ways that no list covers
        raise MailUnreadableError(f"the mail cannot be read ({type(error).__name__}: {error})") from error


def storable_id(found: str) -> str:
    """A Message-ID that fits an index; longer ones are replaced by their SHA-256."""
    return found if len(found) <= MAX_ID else "sha256:" + hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()


class _Bounded(EmailPolicy):
    """Parses no more than the beginning of a header."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        if hasattr(value, "name"):  # parsed before
            return value
        try:
            return super().header_fetch_parse(name, _eight_bit(value[:MAX_HEADER]))
        except Exception:
            if not name.lower().startswith("content-"):
                raise  # `header` reads what it can of it
            return super().header_fetch_parse(name, "")  # without it, the parser takes the part for plain text


_BOUNDED = _Bounded()


def _eight_bit(value: str) -> str:
    """A header with bytes in it that were never encoded, as careless programs send them."""
    return value if value.isascii() else decoded(value.encode("utf-8", "surrogateescape"), None)


def _read(message: EmailMessage) -> MailMessage:
    parts = collect(message)
    own = _ids(_unparsed(message, "message-id"))
    subject = header(message, "subject")[:MAX_SUBJECT]
    parents = _ids(_unparsed(message, "references")) + _ids(_unparsed(message, "in-reply-to"))[:1]
    sender, written = _address(message, "from"), header(message, "date")
    text = _with_forwarded(parts)
    told = "\n".join([*own, sender.key if sender else "", written, subject, text])
    return MailMessage(
        identity=hashlib.sha256(told.encode("utf-8", "replace")).hexdigest(),
        message_id=own[0] if own else None,
        references=tuple(dict.fromkeys([*parents, *parts.returned_ids]))[-MAX_REFERENCES:],
        sender=sender,
        reply_to=_address(message, "reply-to"),
        subject=subject,
        text=text,
        attachments=tuple(parts.attachments),
        written_at=_moment(written),
        marks={name: value for name in MARKS if (value := header(message, name)) or name in message},
        is_report=parts.is_report,
        failed=parts.failed,
    )


def header(message: EmailMessage, name: str) -> str:
    """The first header of that name, decoded, on one line; empty when there is none or it makes no sense."""
    value = attempt(lambda: str(message[name] or ""), None)
    if value is None:
        raw = _unparsed(message, name)[:MAX_HEADER]
        value = _decoded_words(raw)
    value = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return _BLANK.sub(" ", value).strip()


def _decoded_words(raw: str) -> str:
    return str(attempt(lambda: str(make_header(decode_header(raw))), raw))


def _unparsed(message: EmailMessage, name: str) -> str:
    """The end of the first header of that name as it stands: ids are no text, and the newest stand last."""
    raw = next((str(text) for key, text in message.raw_items() if key.lower() == name), "")
    return _BLANK.sub(" ", _eight_bit(raw[-MAX_UNPARSED:])).strip()


def _address(message: EmailMessage, name: str) -> Address | None:
    pairs = attempt(lambda: [(a.display_name, a.addr_spec) for a in message[name].addresses], [])
    # what stands there undecoded: an encoded name may hold line breaks and addresses of its own
    plain = attempt(partial(parseaddr, _unparsed(message, name)[:MAX_HEADER]), ("", ""))
    for shown, mailbox in [*pairs, (_decoded_words(plain[0]), plain[1])]:
        if ADDRESS.fullmatch(mailbox):
            return Address(mailbox, _BLANK.sub(" ", shown).strip(" \"'")[:MAX_NAME] or None)
    return None


def _ids(value: str) -> list[str]:
    found = _ID.findall(value) or ([value] if value and " " not in value else [])
    return [storable_id(one) for one in found]


def _moment(value: str) -> datetime | None:
    moment = attempt(partial(parsedate_to_datetime, value), None) if value else None
    if moment is None:
        return None
    return attempt(lambda: (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), None)


def _with_forwarded(parts: Parts) -> str:
    """The text, and below it what was forwarded as an attachment, as mail programs show it."""
    texts = [parts.text]
    for forwarded in parts.forwarded:
        inner = collect(forwarded, forwards=False)
        texts.append(
            f"---------- Forwarded message ----------\nFrom: {header(forwarded, 'from')}\n"
            f"Subject: {header(forwarded, 'subject')}\n\n{inner.text}"
        )
    return "\n\n".join(text for text in texts if text.strip())
