"""What a delivery says, in our fields. Which JSON path is which field is data: `desk/webhooks/presets/*.yaml`.

PayloadError
    └── a proven delivery that cannot be used; ``where`` is the path of what is missing or wrong
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from classifier.language import language_code
from desk import DeskError
from desk.json_path import NotTextError, PathText, checked_path, find, first_text
from desk.mail.html_text import html_text
from desk.mapping import ColumnMapping
from desk.order_facts import FactPaths, OrderDataError
from desk.order_table import OrderFacts
from desk.ticket import MAX_FIELD, IncomingTicket, IncomingTicketError

HEADER = "header:"
PLAIN_FIELDS = ("subject", "marketplace", "customer_email", "customer_name", "order_id", "asin", "carrier")
FIELDS = ("external_id", "message_id", "body", "created_at", "channel", "language", "agent", *PLAIN_FIELDS)


class PayloadError(DeskError):
    """A proven delivery cannot be used."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where


class Author(StrEnum):
    """Whose words a message holds; a note is for colleagues only."""

    CUSTOMER = "customer"
    AGENT = "agent"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Message:
    """One message about the foreign ticket ``incoming.external_id``; ``at`` is never in the future."""

    kind: str
    author: Author
    incoming: IncomingTicket
    at: datetime
    message_id: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class OrderNews:
    """What a delivery says about an order."""

    kind: str
    order: OrderFacts


@dataclass(frozen=True, slots=True)
class Nothing:
    """A delivery without effect here, and why."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Given:
    """What a payload does not say: whose it is, what stands in for a missing channel or marketplace, and the time."""

    source: str
    channel: str
    marketplace: str | None
    now: datetime


class Words(BaseModel):
    """Whether the text at one of ``paths`` is one of ``any_of`` (any case)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[PathText, ...]
    any_of: tuple[str, ...]

    def fit(self, document: Any) -> bool:
        """Whether it is so. Raises `NotTextError`."""
        text = first_text(document, self.paths)
        return text is not None and text.casefold() in {word.casefold() for word in self.any_of}


class AuthorWords(BaseModel):
    """Who wrote: the text at one of ``paths`` is one of ``customer`` or of ``agent``; absent means the customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: tuple[PathText, ...]
    customer: tuple[str, ...]
    agent: tuple[str, ...] = ()


class OrderEvents(BaseModel):
    """Deliveries that tell of an order instead of a message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    events: tuple[str, ...]
    facts: FactPaths


class PayloadMapping(BaseModel):
    """How one system's deliveries are read.

    ``kind``: where the event's kind stands (a path, or ``header:NAME``); ``events``: the kinds that carry a message,
    all where it is empty. ``only_with``: a path without which there is no message. ``fields``: candidates per field,
    the first that is there wins. ``values``: per field, their word (any case) to ours. ``date_formats``: tried after
    ISO 8601 and Unix time; ``timezone``: of dates without one. ``html``: when the body is HTML.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "custom"
    about: str = ""
    signature: str | None = None
    kind: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    only_with: PathText | None = None
    author: AuthorWords | None = None
    note: Words | None = None
    html: Words | None = None
    fields: dict[str, tuple[PathText, ...]] = {}
    values: dict[str, dict[str, str]] = {}
    date_formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    orders: OrderEvents | None = None

    @field_validator("fields", "values")
    @classmethod
    def _our_fields(cls, value: dict[str, object]) -> dict[str, object]:
        if unknown := sorted(set(value) - set(FIELDS)):
            raise ValueError(f"no such field: {', '.join(unknown)}; the fields are {', '.join(FIELDS)}")
        return value

    @field_validator("kind")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place in value:
            if not place.startswith(HEADER):
                checked_path(place)
        return value

    @model_validator(mode="after")
    def _complete(self) -> PayloadMapping:
        self._dates()
        if self.orders is None:
            for name in ("external_id", "body"):
                if not self.fields.get(name):
                    raise ValueError(f"fields.{name} is needed: say where in the payload it stands")
        return self

    def read(self, document: Any, headers: Mapping[str, str], given: Given) -> Message | OrderNews | Nothing:
        """What ``document`` says; ``headers`` have lower-case names. Raises `PayloadError`."""
        try:
            kind = self._kind(document, headers)
            if self.orders is not None and kind in self.orders.events:
                return OrderNews(kind, self.orders.facts.read(document))
            if not self.fields or (self.events and kind not in self.events):
                return Nothing(kind, "events of this kind have no effect here")
            if self.only_with is not None and find(document, self.only_with) is None:
                return Nothing(kind, f"there is no {self.only_with}, and so no message")
            author = self._author(document)
            if author is None:
                return Nothing(kind, "neither a customer nor an agent wrote this")
            return self._message(document, kind, author, given)
        except NotTextError as error:
            raise PayloadError(error.path, str(error)) from error
        except OrderDataError as error:
            raise PayloadError("order", str(error)) from error

    def _kind(self, document: Any, headers: Mapping[str, str]) -> str:
        for place in self.kind:
            header = place.removeprefix(HEADER)
            found = headers.get(header.lower()) if place != header else first_text(document, (place,))
            if found:
                return found[:MAX_FIELD]
        return "message" if not self.kind else "unknown"

    def _author(self, document: Any) -> Author | None:
        if self.note is not None and self.note.fit(document):
            return Author.NOTE
        word = first_text(document, self.author.paths) if self.author else None
        if self.author is None or word is None:
            return Author.CUSTOMER
        if word.casefold() in map(str.casefold, self.author.customer):
            return Author.CUSTOMER
        return Author.AGENT if word.casefold() in map(str.casefold, self.author.agent) else None

    def _message(self, document: Any, kind: str, author: Author, given: Given) -> Message:
        values = {name: self._value(document, name) for name in self.fields}
        for name in ("external_id", "body"):
            if not values.get(name):
                raise PayloadError(" or ".join(self.fields[name]), f"is missing or empty; it is needed as {name}")
        at = self._moment(values.get("created_at"), given.now)
        body = values["body"] or ""
        if self.html is not None and self.html.fit(document):
            body = html_text(body)
        try:
            incoming = IncomingTicket(
                source=given.source,
                external_id=values["external_id"] or "",
                body=body,
                subject=values.get("subject") or "",
                channel=values.get("channel") or given.channel,
                marketplace=values.get("marketplace") or given.marketplace,
                language=language_code(values.get("language") or "") or None,
                created_at=at,
                **{name: values.get(name) for name in PLAIN_FIELDS if name not in ("subject", "marketplace")},
            )
        except IncomingTicketError as error:
            raise PayloadError(" or ".join(self.fields.get(error.field, (error.field,))), error.problem) from error
        message_id, agent = values.get("message_id"), values.get("agent")
        if message_id is not None and len(message_id) > MAX_FIELD:
            raise PayloadError(" or ".join(self.fields["message_id"]), f"is longer than {MAX_FIELD} characters")
        return Message(kind, author, incoming, at, message_id, agent[:MAX_FIELD] if agent else None)

    def _value(self, document: Any, name: str) -> str | None:
        text = first_text(document, self.fields[name])
        if text is None or name not in self.values:
            return text
        words = {theirs.casefold(): ours for theirs, ours in self.values[name].items()}
        return words.get(text.casefold(), text) or None

    def _moment(self, text: str | None, now: datetime) -> datetime:
        if text is None:
            return now
        try:
            return min(self._dates().moment(text), now)  # a clock that is ahead of ours makes no future messages
        except (ValueError, OverflowError) as error:
            raise PayloadError(" or ".join(self.fields["created_at"]), str(error).split(":")[0]) from error

    def _dates(self) -> ColumnMapping:
        return ColumnMapping(name=self.name, columns={}, date_formats=self.date_formats, timezone=self.timezone)


def parse_body(body: bytes) -> Any:
    """The JSON document in ``body``. Raises `PayloadError`."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PayloadError("body", f"byte {error.start} is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise PayloadError("body", f"is not JSON: {error}"[:200]) from error
    if not isinstance(document, dict):
        raise PayloadError("body", f"is not a JSON object but {type(document).__name__}")
    return document
