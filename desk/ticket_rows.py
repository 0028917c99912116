"""From a row of a foreign export to a ticket and to what had happened to it before it came here."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from classifier.language import language_code
from classifier.taxonomy import Taxonomy
from desk import DeskError
from desk.ledger import Event, EventKind
from desk.mapping import ColumnMapping
from desk.tabular import Problem, Row
from desk.ticket import UNKNOWN_CHANNEL, IncomingTicket, IncomingTicketError

IMPORTER = "import"
PLAIN_FIELDS = ("marketplace", "customer_email", "customer_name", "order_id", "asin", "carrier")
IDENTITY_FIELDS = ("channel", "created_at", "subject", "body", "customer_email", "customer_name", "order_id")
MAX_HANDLE_SECONDS = 7 * 24 * 3600


class RowRefusedError(DeskError):
    """A row that cannot become a ticket; `problem` goes to the rejects file."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.problem = Problem(field, reason)


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads rows of one file. ``columns`` maps our fields to its columns.

    ``channel`` and ``marketplace`` stand in where a row names none; ``source`` names the exporting system.
    """

    mapping: ColumnMapping
    columns: Mapping[str, str]
    taxonomy: Taxonomy
    source: str
    channel: str = UNKNOWN_CHANNEL
    marketplace: str | None = None

    def ticket(self, row: Row) -> tuple[IncomingTicket, list[Event]]:
        """The ticket of ``row`` and its past, oldest first, with ticket ids left open.

        Raises `RowRefusedError`.
        """
        values = {name: self._value(row, name) for name in self.columns}
        values["channel"] = values.get("channel") or self.channel
        values["marketplace"] = values.get("marketplace") or self.marketplace or ""
        created = self._moment(values, "created_at", required="created_at" in self.columns)
        try:
            ticket = IncomingTicket(
                source=self.source,
                external_id=values.get("id") or stable_id(values),
                body=values.get("body", ""),
                subject=values.get("subject", ""),
                channel=values["channel"],
                language=language_code(values.get("language", "")) or None,
                created_at=created,
                **{name: values.get(name) or None for name in PLAIN_FIELDS},
            )
        except IncomingTicketError as error:
            raise RowRefusedError(error.field, error.problem) from error
        return ticket, self._past(values, created)

    def _value(self, row: Row, name: str) -> str:
        text = row.values.get(self.columns[name], "")
        return text if name in ("body", "subject") else self.mapping.value(name, text.strip())

    def _moment(self, values: Mapping[str, str], name: str, *, required: bool = False) -> datetime | None:
        text = values.get(name, "")
        if not text:
            if required:
                raise RowRefusedError(name, "there is no date")
            return None
        try:
            return self.mapping.moment(text)
        except (ValueError, OverflowError) as error:
            raise RowRefusedError(name, str(error)) from error

    def _past(self, values: Mapping[str, str], created: datetime | None) -> list[Event]:
        replied, resolved = self._moment(values, "first_reply_at"), self._moment(values, "resolved_at")
        for name, moment in (("first_reply_at", replied), ("resolved_at", resolved)):
            if moment is not None and created is None:
                raise RowRefusedError(name, "needs a created_at to be measured from, which this file does not have")
            if moment is not None and created is not None and moment < created:
                raise RowRefusedError(name, "lies before the ticket was created")
        agent = values.get("agent")
        actor = f"agent:{agent}" if agent else IMPORTER
        opened = created or datetime.now().astimezone()
        last = resolved or replied or opened

        def fact(kind: EventKind, at: datetime, **data: object) -> Event:
            return Event("", kind, at, actor, data)

        past = []
        if agent:
            past.append(fact(EventKind.ASSIGNED, opened, assignee=agent))
        if macro := values.get("macro"):
            past.append(fact(EventKind.MACRO_SENT, replied or last, macro=macro, text=None, time_unknown=not replied))
        elif replied:
            past.append(fact(EventKind.REPLIED, replied, text=None))
        if reason := self._reason(values):
            autonomy = str(self.taxonomy[reason].autonomy)
            past.append(fact(EventKind.TAG_CONFIRMED, last, reason=reason, autonomy=autonomy, why="imported"))
        if (seconds := handle_seconds(values.get("handle_seconds", ""))) is not None:
            past.append(fact(EventKind.HANDLED, last, seconds=seconds))
        if resolved:
            past.append(fact(EventKind.RESOLVED, resolved))
        if (csat := rating(values.get("csat", ""))) is not None:
            past.append(Event("", EventKind.RATED, last, "customer", {"csat": csat}))
        return past

    def _reason(self, values: Mapping[str, str]) -> str | None:
        text = values.get("reason", "")
        if not text:
            return None
        reason = "_".join(text.casefold().replace("-", " ").split())
        if reason not in self.taxonomy:
            known = ", ".join(self.taxonomy.ids)
            raise RowRefusedError("reason", f"there is no contact reason {text[:60]!r}; the reasons are: {known}")
        return reason


def stable_id(values: Mapping[str, str]) -> str:
    """An id for a row without one.

    The same text at the same time from the same customer is the same ticket.
    """
    identity = "\x1f".join(values.get(name, "") for name in IDENTITY_FIELDS)
    return "row-" + hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:24]


def handle_seconds(text: str) -> float | None:
    """Seconds, or ``[HH:]MM:SS``. None for nothing. Raises `RowRefusedError`."""
    if not text:
        return None
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    seconds: float = sum(part * 60.0**power for power, part in enumerate(reversed(parts)))
    if not 1 <= len(parts) <= 3 or not math.isfinite(seconds) or not 0 <= seconds <= MAX_HANDLE_SECONDS:
        raise RowRefusedError("handle_seconds", f"{text[:40]!r} is not a duration in seconds or HH:MM:SS")
    return seconds


def rating(text: str) -> int | None:
    """A CSAT of 1 to 5. None for nothing. Raises `RowRefusedError`."""
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if number not in range(1, 6):
        raise RowRefusedError("csat", f"{text[:40]!r} is not a rating from 1 to 5")
    return int(number)
