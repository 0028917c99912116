"""The outbox: each mail goes to the server once, and where nobody can know whether it went, a person is told.

    queued -> sending -> sent | failed | unknown       (and back to queued when the server says: not now)

`sending` is committed after the server said that it waits for the text, and before the text goes: until then trying
again is safe. From then on only the server's answer tells; without one the mail is `unknown` and stays.
"""

from __future__ import annotations

import logging
import re
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.database import Database
from desk.jobs import NotNowError, Run
from desk.ledger import EventKind, Status, append, lock
from desk.mail.accounts import MailLoginError, MailServer, MailServerError, smtp_session
from desk.mail.receiving import ACTOR
from desk.tables import outbox

log = logging.getLogger("paretodesk.mail")

GIVE_UP_AFTER = timedelta(hours=12)
"""Marketplaces want an answer within 24 hours: a person must learn of trouble before."""
CLAIM = timedelta(minutes=15)
"""How long a server may take over a text; RFC 5321 allows 10 minutes for its answer."""
ANSWER_SECONDS = 600
"""How long the server's answer to a text is waited for; RFC 5321, section 4.5.3.2.6. It scans for viruses meanwhile."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=30)

_WIRE = policy.SMTP.clone(max_line_length=900)
"""Shorter lines would make the library encode long message ids, which other programs then do not find again."""


class SendState(StrEnum):
    """Where a mail is."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server said, and which state follows from it."""

    state: SendState
    said: str = ""


def send_one(database: Database, server: MailServer, outbox_id: int) -> SendState:
    """Try to send a mail now, and record what became of it; a mail that was sent before is left alone.

    Raises `MailServerError` and `MailLoginError` when the server cannot be used; the mail waits then.
    """
    now = datetime.now(UTC)
    with database.session() as session:
        row = session.execute(sa.select(outbox).where(outbox.c.id == outbox_id).with_for_update()).one_or_none()
        if row is None:
            return SendState.FAILED
        if row.state == SendState.SENDING and row.next_try_at <= now:
            _end(session, row, _Answer(SendState.UNKNOWN, "the program stopped while the mail was on its way"))
            return SendState.UNKNOWN
        if row.state != SendState.QUEUED:
            return SendState(row.state)
    try:
        with smtp_session(server) as client:
            answer = _deliver(database, client, row)
    except (MailServerError, MailLoginError) as error:
        _record(database, row, _Answer(SendState.QUEUED, str(error)))
        raise
    return SendState.SENDING if answer is None else _record(database, row, answer)


def send_due(database: Database, server: MailServer) -> dict[SendState, int]:
    """Try every mail that waits and count what became of them. Raises like `send_one`, at the first trouble."""
    due = sa.select(outbox.c.id).where(
        outbox.c.state.in_([SendState.QUEUED, SendState.SENDING]), outbox.c.next_try_at <= datetime.now(UTC)
    )
    with database.session(read_only=True) as session:
        ids = list(session.scalars(due.order_by(outbox.c.id)))
    counts: dict[SendState, int] = {}
    for outbox_id in ids:
        state = send_one(database, server, outbox_id)
        counts[state] = counts.get(state, 0) + 1
    return counts


def handle_sending(run: Run, server: MailServer) -> None:
    """The handler of `desk.mail.replies.SEND_MAIL` jobs. A mail that waits gives its job back; see `NotNowError`."""
    for job in run.pending:
        outbox_id = int(job.payload["outbox"])
        try:
            state = send_one(run.database, server, outbox_id)
        except (MailServerError, MailLoginError) as error:
            raise NotNowError(str(error), _pause_of(run.database, outbox_id)) from error
        if state in (SendState.QUEUED, SendState.SENDING):
            raise NotNowError(f"mail {outbox_id} waits", _pause_of(run.database, outbox_id))


def wire_bytes(row: Any, now: datetime) -> bytes:
    """The mail of an outbox row as it goes over the wire: plain text only, as marketplaces want it."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = row.sender
    message["To"] = row.recipient
    message["Subject"] = row.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{row.message_id}>"
    if row.in_reply_to:
        message["In-Reply-To"] = f"<{row.in_reply_to}>"
    if row.references:
        message["References"] = " ".join(f"<{reference}>" for reference in row.references)
    if row.automatic:
        message["Auto-Submitted"] = "auto-replied"
        message["X-Auto-Response-Suppress"] = "All"
    message.set_content(row.text.replace("\r\n", "\n"), cte="quoted-printable")
    return message.as_bytes(policy=_WIRE)


def _deliver(database: Database, client: smtplib.SMTP, row: Any) -> _Answer | None:
    """Say the envelope, claim the mail, send the text. None: another process had claimed it before."""
    steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
        lambda: client.mail(parseaddr(row.sender)[1]),
        lambda: client.rcpt(row.recipient),
        lambda: client.docmd("DATA"),
    )
    try:
        text = wire_bytes(row, datetime.now(UTC))
        for step in steps:
            code, said = step()
            if code not in (250, 251, 354):
                return _refusal(code, said)
    except UnicodeEncodeError:
        return _Answer(SendState.FAILED, f"the address {row.recipient} has characters that this server cannot take")
    except OSError as error:
        return _Answer(SendState.QUEUED, f"the server broke off before the text: {error}")
    if not _claim(database, row.id):
        client.close()  # without the final dot the server forgets what it was told
        return None
    try:
        if client.sock is not None:
            client.sock.settimeout(ANSWER_SECONDS)
        client.send(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
        code, said = client.getreply()
    except OSError as error:
        return _Answer(SendState.UNKNOWN, f"the connection broke before the server's answer: {error}")
    return _Answer(SendState.SENT) if code == 250 else _refusal(code, said)


def _refusal(code: int, said: bytes) -> _Answer:
    final = 500 <= code < 600
    return _Answer(SendState.FAILED if final else SendState.QUEUED, f"{code} {said.decode('utf-8', 'replace')}")


def _claim(database: Database, outbox_id: int) -> bool:
    claimed = {"state": SendState.SENDING, "next_try_at": datetime.now(UTC) + CLAIM}
    statement = outbox.update().where(outbox.c.id == outbox_id, outbox.c.state == SendState.QUEUED).values(claimed)
    with database.session() as session:
        return session.execute(statement.returning(outbox.c.id)).first() is not None


def _record(database: Database, row: Any, answer: _Answer) -> SendState:
    now = datetime.now(UTC)
    if answer.state is SendState.QUEUED and now - row.created_at >= GIVE_UP_AFTER:
        answer = _Answer(SendState.FAILED, f"tried for {GIVE_UP_AFTER}: {answer.said}")
    with database.session() as session:
        if answer.state is not SendState.QUEUED:
            _end(session, row, answer)
            return answer.state
        pause = min(FIRST_PAUSE * 2 ** min(row.attempts, 10), LONGEST_PAUSE)
        waits = {"attempts": row.attempts + 1, "next_try_at": now + pause, "problem": answer.said}
        mine = outbox.c.state.in_([SendState.QUEUED, SendState.SENDING])
        session.execute(outbox.update().where(outbox.c.id == row.id, mine).values(waits | {"state": SendState.QUEUED}))
    return SendState.QUEUED


def _end(session: Session, row: Any, answer: _Answer) -> None:
    """Record the end. A mail that may not have arrived is a note, and its ticket is not resolved any more."""
    values = {"state": answer.state, "problem": answer.said or None, "ended_at": datetime.now(UTC)}
    values["attempts"] = row.attempts + 1
    session.execute(outbox.update().where(outbox.c.id == row.id).values(values))
    if answer.state is SendState.SENT:
        return
    log.warning("mail %s is %s, see its ticket", row.id, answer.state)
    if answer.state is SendState.FAILED:
        told = f"The answer to {row.recipient} could not be sent: {answer.said}."
    else:
        told = f"Nobody knows whether the answer to {row.recipient} was sent: {answer.said}. Look into the sent mail."
    text = f"{told} To send it (again): paretodesk mailbox send --again {row.id}"
    lock(session, [row.ticket_id])
    state = append(session, row.ticket_id, EventKind.NOTED, actor=ACTOR, data={"text": text})
    if state.status is Status.RESOLVED:
        why = {"why": "the answer may not have reached the customer"}
        append(session, row.ticket_id, EventKind.REOPENED, actor=ACTOR, data=why)


def _pause_of(database: Database, outbox_id: int) -> timedelta:
    with database.session(read_only=True) as session:
        at = session.scalar(sa.select(outbox.c.next_try_at).where(outbox.c.id == outbox_id))
    return max(at - datetime.now(UTC), timedelta(seconds=1)) if at else FIRST_PAUSE
