"""Replaces personal data row by row, as `personal_data.yaml` says. Whoever opens the transaction opens the gate too."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.access.personal_data import PLACEHOLDERS, Held, personal_data
from desk.tables import (
    chat_ratings,
    chat_sessions,
    chat_turns,
    client_senders,
    events,
    jobs,
    mail_messages,
    mail_problems,
    metadata,
    orders,
    outbox,
    tickets,
)
from desk.ticket import ID_ALPHABET

CHUNK = 500  # ids per IN list
WORDS = {Held.EMAIL: "e-mail", Held.ORDER: "order"}


@dataclass(frozen=True)
class Mention:
    """An address or an order id that may stand in any text."""

    text: str
    held: Held

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # joanna@example.com is not anna@example.com, nor is anna@example.com.au
        before, after = (r"[\w.+%-]", r"[\w-]|\.\w") if self.held is Held.EMAIL else (r"[\w-]", r"[\w-]")
        return re.compile(f"(?<!{before}){re.escape(self.text)}(?!{after})", re.IGNORECASE)

    def condition(self, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """Rows that may have it, in a column of text or JSON; `stands_in` is exact."""
        text = sa.func.lower(sa.cast(column, sa.Text))
        # SQLite keeps JSON with its escapes
        forms = {self.text.lower(), json.dumps(self.text.lower())[1:-1]}
        return sa.or_(*(text.contains(form, autoescape=True) for form in sorted(forms)))

    def stands_in(self, value: Any) -> bool:
        """Whether a text, or any text inside of JSON, has it."""
        return bool(self.without(value, "") != value)

    def without(self, value: Any, placeholder: str) -> Any:
        """``value`` with the placeholder in its stead."""
        if isinstance(value, str):
            return self._pattern.sub(lambda _: placeholder, value)
        if isinstance(value, dict):
            return {self.without(key, placeholder): self.without(item, placeholder) for key, item in value.items()}
        return [self.without(item, placeholder) for item in value] if isinstance(value, list) else value


@dataclass
class RowEraser:
    """Erases rows in one transaction and counts them by table."""

    session: Session
    count: Counter[str]
    _known: dict[str, str] = field(default_factory=dict)

    def tickets(self, ids: Sequence[str]) -> None:
        """Tickets with everything that hangs on them."""
        for chunk in _chunks(ids):
            self._hash_addresses(tickets.c.id.in_(chunk))
            self._replace(tickets, tickets.c.id.in_(chunk))
            self._replace(events, events.c.ticket_id.in_(chunk))
            linked = sa.select(chat_sessions.c.id).where(chat_sessions.c.ticket_id.in_(chunk))
            self.sessions(self.session.scalars(linked).all())
            self.mails(mail_messages.c.ticket_id.in_(chunk))
            self.mail_problems(mail_problems.c.ticket_id.in_(chunk))
            self._stop_sending(outbox.c.ticket_id.in_(chunk))
            self._replace(outbox, outbox.c.ticket_id.in_(chunk))
            self._replace(jobs, jobs.c.key.in_(chunk))

    def sessions(self, ids: Sequence[str]) -> None:
        """Chats; they are over, and their token opens nothing any more."""
        for chunk in _chunks(ids):
            here = chat_sessions.c.id.in_(chunk)
            self._replace(chat_turns, chat_turns.c.session_id.in_(chunk))
            self._replace(chat_sessions, here)
            self._replace(chat_ratings, chat_ratings.c.session_id.in_(chunk))
            self.session.execute(client_senders.delete().where(client_senders.c.session_id.in_(chunk)))
            now = sa.literal(datetime.now(UTC), chat_sessions.c.ended_at.type)
            over = {"token_hash": "", "ended_at": sa.func.coalesce(chat_sessions.c.ended_at, now)}
            self.session.execute(chat_sessions.update().where(here).values(over))

    def mails(self, where: sa.ColumnElement[bool]) -> None:
        """What is known of mails."""
        self._replace(mail_messages, where)

    def mail_problems(self, where: sa.ColumnElement[bool]) -> None:
        """Mails that could not be read, which are kept whole."""
        self._replace(mail_problems, where)

    def orders(self, order_ids: Iterable[str]) -> None:
        """Orders, whole rows."""
        for chunk in _chunks(sorted(order_ids)):
            gone = orders.delete().where(orders.c.order_id.in_(chunk)).returning(orders.c.order_id)
            self.count["orders"] += len(self.session.execute(gone).all())

    def mentions(self, mention: Mention) -> None:
        """What stands in other people's texts."""
        placeholder = self._placeholder(mention.held, mention.text)
        self._jobs(mention)
        for name, fields in personal_data().tables.items():
            table = metadata.tables[name]
            for column in (table.c[column] for column, held in fields.erase.items() if held is not Held.BYTES):
                query = sa.select(*table.primary_key.columns, column).where(mention.condition(column))
                for *key, value in self.session.execute(query).all():
                    cleaned = mention.without(value, placeholder)
                    if cleaned != value:
                        self._update(table, key, {column.name: cleaned})
        problems = self.session.execute(sa.select(mail_problems.c.id, mail_problems.c.raw)).all()
        for problem_id, raw in problems:
            if mention.stands_in(raw.decode("latin-1")):
                self.mail_problems(mail_problems.c.id == problem_id)

    def _jobs(self, mention: Mention) -> None:
        """A message that waits to be answered is its writer's whole; nothing is left to work on."""
        query = sa.select(jobs.c.id, jobs.c.payload).where(mention.condition(jobs.c.payload))
        for job_id, payload in self.session.execute(query).all():
            if mention.stands_in(payload):
                here = jobs.c.id == job_id
                self._replace(jobs, here)
                waiting = here & jobs.c.state.in_(["queued", "leased"])
                ended = {"state": "dead", "problem": "erased", "fence": jobs.c.fence + 1, "ended_at": datetime.now(UTC)}
                self.session.execute(jobs.update().where(waiting).values(ended))

    def _replace(self, table: sa.Table, where: sa.ColumnElement[bool]) -> None:
        erase = personal_data().tables[table.name].erase
        query = sa.select(*table.primary_key.columns, *(table.c[name] for name in erase)).where(where)
        for row in self.session.execute(query).all():
            before = row._mapping
            after = {name: self._after(held, before[name]) for name, held in erase.items()}
            if changed := {name: value for name, value in after.items() if value != before[name]}:
                self._update(table, row[: len(table.primary_key.columns)], changed)

    def _hash_addresses(self, where: sa.ColumnElement[bool]) -> None:
        """Ids of deliveries that have the customer's address in them."""
        query = sa.select(tickets.c.id, tickets.c.external_id, tickets.c.customer_email)
        for ticket_id, external_id, address in self.session.execute(query.where(where)).all():
            if address and address.strip().lower() in external_id.lower():
                hashed = f"erased:{hashlib.sha256(external_id.encode()).hexdigest()}"
                self.session.execute(tickets.update().where(tickets.c.id == ticket_id).values(external_id=hashed))

    def _after(self, held: Held, value: Any) -> Any:
        """What a column becomes; what is erased already stays as it is."""
        match held:
            case Held.NOTHING:
                return None
            case Held.EVENT:
                return personal_data().erased_event(value)
            case Held.PAYLOAD:
                return personal_data().erased_payload(value)
            case Held.CONVERSATION:
                over = personal_data().erased_conversation(value)
                return value if value.keys() <= over.keys() else over
            case Held.LIST:
                return []
            case Held.BYTES:
                return b""
            case Held.EMAIL | Held.ORDER:
                return self._placeholder(held, value) if value and not value.startswith("[erased: ") else value
            case _:
                return PLACEHOLDERS[held] if value else value

    def _placeholder(self, held: Held, value: str) -> str:
        """The same for the same value as long as this eraser lives, so that one person's tickets stay one person's."""
        known = f"{held}:{value.strip().lower()}"
        if known not in self._known:
            random = "".join(secrets.choice(ID_ALPHABET) for _ in range(8))
            self._known[known] = f"[erased: {WORDS[held]} {random}]"
        return self._known[known]

    def _stop_sending(self, where: sa.ColumnElement[bool]) -> None:
        """What was not sent yet is not to be sent as a placeholder."""
        values = {"state": "failed", "ended_at": datetime.now(UTC)}
        self.session.execute(outbox.update().where(where, outbox.c.state == "queued").values(values))

    def _update(self, table: sa.Table, key: Sequence[Any], values: dict[str, Any]) -> None:
        here = sa.and_(*(column == value for column, value in zip(table.primary_key.columns, key, strict=True)))
        self.session.execute(table.update().where(here).values(values))
        self.count[table.name] += 1


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
