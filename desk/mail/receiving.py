"""One mail becomes a ticket, a further message, or a note: everything in the caller's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from classifier.entities import by_kind, find_entities
from classifier.reading import read
from desk.intake import TAG, customer_wrote, enqueue, first_time, take_in
from desk.ledger import EventKind, Status, append, lock
from desk.mail.message import Address, MailMessage, MailUnreadableError, read_message
from desk.mail.senders import Machine, Origin, customer_name, machine_of, origin_of
from desk.mail.threads import is_ours, ticket_of_order, ticket_of_references
from desk.tables import insert_new, mail_messages, mail_problems, storable, tickets
from desk.ticket import MAX_SOURCE, IncomingTicket
from desk.ticket_state import Event

MAX_TEXT = 250_000
"""Characters of a mail's text that a ticket keeps: a book's worth, and in any script less than `MAX_TEXT_BYTES`."""
MAX_RAW_SHOWN = 20_000
NO_TEXT = "(no text)"
ACTOR = "mailbox"
SOURCE = "mail:"
"""How the sources of tickets that came by mail begin."""


class Outcome(StrEnum):
    """What became of a mail."""

    TICKET = "ticket"  # a new one
    FURTHER = "further"  # the customer wrote again on a known one
    NOTED = "noted"  # a machine wrote; a note on the ticket
    ASIDE = "aside"  # a machine wrote, and about no ticket
    OWN = "own"  # a mail of ours came back
    UNREADABLE = "unreadable"  # kept as it came, with a ticket for a person
    DUPLICATE = "duplicate"  # known already; nothing changed


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail, and on which ticket."""

    outcome: Outcome
    ticket_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whose mail it is: the account's name, and the addresses that we write from, in lower case."""

    account: str
    own: frozenset[str] = frozenset()

    @property
    def source(self) -> str:
        """The name of this source of tickets."""
        return source_of(self.account)


def source_of(account: str) -> str:
    """The source of tickets that came to an account."""
    name = f"{SOURCE}{account}"
    return name if len(name) <= MAX_SOURCE else f"{SOURCE}{hashlib.sha256(account.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as far as it can be read without the desk; ``message`` is None when nothing can be made of it.

    ``at`` is when the server got it, which starts the clock: what the sender's own clock says may be wrong or a lie.
    ``found`` are the entities by kind. ``cut_from`` is the size in bytes of a mail of which only the beginning is here.
    """

    raw: bytes
    at: datetime
    message: MailMessage | None
    problem: str = ""
    origin: Origin = field(default_factory=Origin)
    machine: Machine | None = None
    found: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cut_from: int | None = None


def read_arrival(raw: bytes, *, arrived_at: datetime | None = None, cut_from: int | None = None) -> Arrival:
    """Read a mail. This may take seconds for a hostile one, so it is done before any transaction. Never raises."""
    now = datetime.now(UTC)
    at = min(arrived_at or now, now)
    try:
        message = read_message(raw)
    except MailUnreadableError as error:
        return Arrival(raw, at, None, str(error))
    origin = origin_of(message.sender)
    machine = machine_of(message, origin)
    if machine is Machine.GENERATED and not _same(message.reply_to, message.sender):
        machine = None  # a form sent what a customer wrote
    return Arrival(raw, at, message, "", origin, machine, _entities(message, origin), cut_from)


def take_mail(session: Session, mailbox: Mailbox, arrival: Arrival) -> Taken:
    """Take one mail in; the same one again has no effect."""
    message, machine = arrival.message, arrival.machine
    if message is None:
        return keep_unreadable(session, mailbox, arrival.raw, arrival.problem, arrival.at)
    kind = str(machine) if machine else "customer"
    if not first_time(session, mailbox.source, message.identity, kind):
        return Taken(Outcome.DUPLICATE)
    return _Mail(session, mailbox, arrival, message, datetime.now(UTC)).take()


def _same(reply_to: Address | None, sender: Address | None) -> bool:
    """Whether answers go to who sent it."""
    return reply_to is None or (sender is not None and reply_to.key == sender.key)


def _entities(message: MailMessage, origin: Origin) -> dict[str, list[str]]:
    """What subject and own words name, or else what the quoted history names."""
    reading = read(message.subject, message.text[:MAX_TEXT])
    language = origin.language or "en"
    found = by_kind(find_entities(reading.text, language))
    return found if "order_id" in found else by_kind(find_entities(reading.everything, language)) | found


def keep_unreadable(session: Session, mailbox: Mailbox, raw: bytes, problem: str, at: datetime) -> Taken:
    """Keep a mail that nothing could be made of: its bytes in `mail_problems`, and a ticket for a person."""
    digest = hashlib.sha256(raw).hexdigest()
    if not first_time(session, mailbox.source, f"raw:{digest}", "unreadable"):
        return Taken(Outcome.DUPLICATE)
    shown = storable(raw[:MAX_RAW_SHOWN].decode("utf-8", "replace"))
    body = f"{problem}. It is kept as it came: paretodesk mailbox problems --save FOLDER\n\n{shown}"
    ticket = IncomingTicket(mailbox.source, f"raw:{digest}", body, "A mail that could not be read", created_at=at)
    ticket_id = take_in(session, [(ticket, ())])[0].ticket_id
    row = {
        "account": mailbox.account,
        "digest": digest,
        "problem": problem,
        "raw": raw,
        "ticket_id": ticket_id,
        "at": datetime.now(UTC),
    }
    session.execute(insert_new(session, mail_problems).values(row).on_conflict_do_nothing())
    enqueue(session, TAG, {"ticket_id": ticket_id}, key=ticket_id)
    return Taken(Outcome.UNREADABLE, ticket_id)


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail that is new, on its way into the ledger."""

    session: Session
    mailbox: Mailbox
    arrival: Arrival
    message: MailMessage
    now: datetime

    def take(self) -> Taken:
        ours = self._is_ours
        if ours and is_ours(self.session, self.message.message_id):
            return Taken(Outcome.OWN)
        found = self.arrival.found
        order_id = next(iter(found.get("order_id", ())), None)
        ticket_id = ticket_of_references(self.session, self.message.references)
        if ticket_id is None and order_id and self._customer and not self.arrival.machine and not ours:
            ticket_id = ticket_of_order(self.session, self._customer.key, order_id, self.arrival.at)
        if ticket_id is None and self._is_set_aside:
            self._remember(None, order_id)
            return Taken(Outcome.ASIDE)
        if ticket_id is None:
            ticket_id = self._open_ticket(order_id, next(iter(found.get("asin", ())), None))
            self._remember(ticket_id, order_id)
            return Taken(Outcome.TICKET, ticket_id)
        self._remember(ticket_id, order_id)
        if self.arrival.machine or ours:
            self._note(ticket_id)
            return Taken(Outcome.NOTED, ticket_id)
        self._further(ticket_id)
        return Taken(Outcome.FURTHER, ticket_id)

    @property
    def _customer(self) -> Address | None:
        """Who gets the answer."""
        return self.message.reply_to or self.message.sender

    @property
    def _is_ours(self) -> bool:
        """Whether the shop wrote it, and not a form of the shop for a customer."""
        sender = self.message.sender
        return sender is not None and sender.key in self.mailbox.own and _same(self.message.reply_to, sender)

    @property
    def _is_set_aside(self) -> bool:
        """A machine's mail about no ticket; what a marketplace itself tells is for a person all the same."""
        told = self.arrival.machine in (Machine.GENERATED, Machine.BULK) and self.arrival.origin.notices
        return self.arrival.machine is not None and not told

    def _open_ticket(self, order_id: str | None, asin: str | None) -> str:
        message, origin = self.message, self.arrival.origin
        customer = self._customer
        named = (
            message.sender if customer and not customer.name and _same(message.reply_to, message.sender) else customer
        )
        incoming = IncomingTicket(
            source=self.mailbox.source,
            external_id=message.identity,
            subject=message.subject,
            body=message.text[:MAX_TEXT] if message.text.strip() else NO_TEXT,
            channel=origin.channel,
            marketplace=origin.marketplace,
            language=origin.language,
            customer_email=customer.mailbox if customer else None,
            customer_name=customer_name(named) if named else None,
            order_id=order_id,
            asin=asin,
            created_at=self.arrival.at,
        )
        past = [Event("", EventKind.NOTED, self.now, ACTOR, {"text": text}) for text in self._remarks()]
        ticket_id = take_in(self.session, [(incoming, past)])[0].ticket_id
        enqueue(self.session, TAG, {"ticket_id": ticket_id}, key=ticket_id)
        return ticket_id

    def _further(self, ticket_id: str) -> None:
        text = self.message.text[:MAX_TEXT] if self.message.text.strip() else NO_TEXT
        message_id = self.message.message_id or self.message.identity
        customer_wrote(
            self.session, ticket_id, text, source=self.mailbox.source, message_id=message_id, at=self.arrival.at
        )
        known = self.session.scalar(sa.select(tickets.c.customer_email).where(tickets.c.id == ticket_id))
        for remark in self._remarks():
            append(self.session, ticket_id, EventKind.NOTED, actor=ACTOR, data={"text": remark})
        if self._customer and known and self._customer.key != str(known).lower():
            text = f"This message came from {self._customer.mailbox}; answers still go to {known}."
            append(self.session, ticket_id, EventKind.NOTED, actor=ACTOR, data={"text": text})

    def _note(self, ticket_id: str) -> None:
        """A machine's words: no clock starts. When our answer did not arrive, the ticket is not resolved."""
        lock(self.session, [ticket_id])
        who = "Automatic mail" if self.arrival.machine else "Sent outside the desk"
        text = (
            f"{who} ({self.arrival.machine or 'own address'}): {self.message.subject}\n\n{self.message.text[:MAX_TEXT]}"
        )
        state = append(self.session, ticket_id, EventKind.NOTED, actor=ACTOR, data={"text": text})
        if self.arrival.machine is Machine.BOUNCE and self.message.failed and state.status is Status.RESOLVED:
            why = {"why": "our answer could not be delivered"}
            append(self.session, ticket_id, EventKind.REOPENED, actor=ACTOR, data=why)

    def _remarks(self) -> list[str]:
        remarks = []
        if files := self.message.attachments:
            names = "\n".join(f"- {file.name} ({file.type}, {file.size:,} bytes)" for file in files[:50])
            remarks.append(f"{len(files)} attachments, kept in the mailbox:\n{names}")
        if (length := len(self.message.text)) > MAX_TEXT:
            remarks.append(f"The mail has {length:,} characters; the first {MAX_TEXT:,} are here, all in the mailbox.")
        if self.arrival.cut_from:
            remarks.append(
                f"The mail has {self.arrival.cut_from:,} bytes, more than are read; all of it is in the mailbox."
            )
        return remarks

    def _remember(self, ticket_id: str | None, order_id: str | None) -> None:
        message, customer = self.message, self._customer
        row = {
            "account": self.mailbox.account,
            "direction": "in",
            "kind": str(self.arrival.machine) if self.arrival.machine else "own" if self._is_ours else "customer",
            "ticket_id": ticket_id,
            "message_id": message.message_id,
            "references": list(message.references),
            "address": customer.key if customer else None,
            "reply_to": customer.mailbox if customer else None,
            "order_id": order_id,
            "subject": message.subject,
            "attachments": [{"name": f.name, "type": f.type, "size": f.size} for f in message.attachments[:50]],
            "at": self.arrival.at,
        }
        self.session.execute(mail_messages.insert().values(row))
