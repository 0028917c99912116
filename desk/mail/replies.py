"""Answers to tickets that came by mail, put into the outbox in the transaction that records them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import make_msgid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.intake import enqueue
from desk.mail import MailError
from desk.mail.message import ADDRESS, Address
from desk.mail.receiving import SOURCE
from desk.mail.senders import origin_of
from desk.tables import mail_messages, outbox, tickets

SEND_MAIL = "send_mail"
"""Job that sends a mail; payload: ``outbox``, its id."""
MAX_SEND_ATTEMPTS = 1_000
"""Of the job; the outbox itself decides when to give up, by time."""
MAX_REFERENCES = 20
CHAT = "chat"
"""Source of the tickets that the chat makes; their e-mail address is one that proved an order."""

_REPLY = re.compile(r"\A(?:re|aw|sv|antw|odp|r|rif|ref|rép|tr)\s*:", re.I)


class NotAnswerableError(MailError):
    """No mail can go to the ticket's customer."""


def came_by_mail(session: Session, ticket_id: str) -> bool:
    """Whether answers to the ticket go by mail."""
    source = session.scalar(sa.select(tickets.c.source).where(tickets.c.id == ticket_id))
    return source is not None and str(source).startswith(SOURCE)


def queue_reply(session: Session, ticket_id: str, text: str, *, sender: Address, automatic: bool = False) -> int:
    """Put an answer to the customer's last mail into the outbox, and the job that sends it; returns its id there.

    The caller has checked ``text`` against the marketplace's rules. Raises `NotAnswerableError`.
    """
    ticket = session.execute(sa.select(tickets).where(tickets.c.id == ticket_id)).one_or_none()
    recipient = str(ticket.customer_email) if ticket and ticket.customer_email else ""
    last = _last_mail(session, ticket_id, recipient)
    if ticket is None or last is None or not ADDRESS.fullmatch(recipient):
        raise NotAnswerableError(
            f"ticket {ticket_id} came from nobody whom a mail can answer (a notice, or a mail without a sender): "
            "act where it came from, and write a note"
        )
    return _queue(session, ticket, last, _subject(str(last.subject), recipient), text, sender, automatic)


def queue_answer_to_chat(session: Session, ticket_id: str, text: str, *, sender: Address, subject: str) -> int | None:
    """Put an answer to a chat's customer into the outbox too, and the job that sends it; returns its id there.

    None where the customer proved no e-mail address; they read the answer in the chat. ``subject`` heads the first
    mail. What the customer answers comes back to the ticket.
    """
    ticket = session.execute(sa.select(tickets).where(tickets.c.id == ticket_id)).one_or_none()
    recipient = str(ticket.customer_email) if ticket and ticket.customer_email else ""
    if ticket is None or ticket.source != CHAT or not ADDRESS.fullmatch(recipient):
        return None
    last = _last_mail(session, ticket_id, recipient)
    subject = _subject(str(last.subject), recipient) if last else subject
    return _queue(session, ticket, last, subject, text, sender, automatic=False)


def _queue(
    session: Session,
    ticket: sa.Row[Any],
    last: sa.Row[Any] | None,
    subject: str,
    text: str,
    sender: Address,
    automatic: bool,
) -> int:
    """``last``: the mail that is answered, None where there is none yet."""
    ticket_id, recipient = str(ticket.id), str(ticket.customer_email)
    answered = last.message_id if last else None
    parents = [*(last.references if last else ()), *([answered] if answered else ())]
    message_id = make_msgid(idstring=ticket_id.lower(), domain=sender.domain).strip("<>")
    now = datetime.now(UTC)
    row = {
        "ticket_id": ticket_id,
        "message_id": message_id,
        "sender": f'"{_quotable(sender.name)}" <{sender.mailbox}>' if sender.name else sender.mailbox,
        "recipient": _wire_address(recipient),
        "subject": subject,
        "in_reply_to": answered,
        "references": _kept(parents),
        "text": text,
        "automatic": automatic,
        "state": "queued",
        "attempts": 0,
        "next_try_at": now,
        "created_at": now,
    }
    outbox_id = int(session.execute(outbox.insert().values(row).returning(outbox.c.id)).scalar_one())
    _remember(session, row, str(last.account) if last else sender.key, ticket.order_id)
    enqueue(session, SEND_MAIL, {"outbox": outbox_id}, key=message_id, max_attempts=MAX_SEND_ATTEMPTS)
    return outbox_id


def send_again(session: Session, outbox_id: int) -> bool:
    """Let a mail that failed, or whose fate is unknown, go out once more; False when it is not one of these."""
    now = datetime.now(UTC)
    waits = {"state": "queued", "attempts": 0, "next_try_at": now, "created_at": now, "problem": None, "ended_at": None}
    again = outbox.update().where(outbox.c.id == outbox_id, outbox.c.state.in_(["failed", "unknown"])).values(waits)
    if session.execute(again.returning(outbox.c.id)).first() is None:
        return False
    key = f"{outbox_id}:{now.isoformat()}"
    return enqueue(session, SEND_MAIL, {"outbox": outbox_id}, key=key, max_attempts=MAX_SEND_ATTEMPTS)


def _last_mail(session: Session, ticket_id: str, recipient: str) -> sa.Row[Any] | None:
    """The customer's last mail. One of somebody else on the same ticket is not what is answered."""
    query = sa.select(mail_messages).where(
        mail_messages.c.ticket_id == ticket_id,
        mail_messages.c.direction == "in",
        mail_messages.c.kind == "customer",
        mail_messages.c.address == recipient.lower(),
    )
    return session.execute(query.order_by(mail_messages.c.at.desc(), mail_messages.c.id.desc()).limit(1)).first()


def _subject(subject: str, recipient: str) -> str:
    """The subject that was written to us; a relay finds its way by it, other readers expect the usual ``Re:``."""
    if _REPLY.match(subject) or (subject and origin_of(Address(recipient)).relay):
        return subject
    return f"Re: {subject}".strip()


def _kept(parents: list[str]) -> list[str]:
    """The first and the newest ids, as RFC 5537 cuts long threads."""
    parents = list(dict.fromkeys(parents))
    return parents if len(parents) <= MAX_REFERENCES else [parents[0], *parents[1 - MAX_REFERENCES :]]


def _wire_address(address: str) -> str:
    """With an international domain in the form that mail servers speak."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address


def _quotable(name: str | None) -> str:
    return re.sub(r'["\\\r\n]', "", name or "")


def _remember(session: Session, row: dict[str, object], account: str, order_id: str | None) -> None:
    known = {
        "account": account,
        "direction": "out",
        "kind": "automatic" if row["automatic"] else "reply",
        "ticket_id": row["ticket_id"],
        "message_id": row["message_id"],
        "references": row["references"],
        "address": str(row["recipient"]).lower(),
        "order_id": order_id,
        "subject": row["subject"],
        "attachments": [],
        "at": row["created_at"],
    }
    session.execute(mail_messages.insert().values(known))
