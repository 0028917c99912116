"""Reading a folder of an IMAP server: what is new since the cursor, one transaction per mail."""

from __future__ import annotations

import imaplib
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from imapclient import SEEN, IMAPClient
from sqlalchemy.orm import Session

from desk.database import Database, DatabaseError
from desk.mail.receiving import Arrival, Mailbox, Outcome, Taken, keep_unreadable, read_arrival, take_mail
from desk.tables import mail_folders, upsert

log = logging.getLogger("paretodesk.mail")

MAX_MAIL_BYTES = 26_214_400
"""Of a larger mail the beginning is read; 25 MB is what most providers let through."""
LOOK_BACK = timedelta(days=2)
"""After the server numbered a folder anew, mail since so long before the last look is read again; known mail has no
effect. IMAP searches by day, in the server's time zone."""


class _WithheldError(Exception):
    """The server names a mail and does not give it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a folder was read."""

    uidvalidity: int
    last_uid: int
    read_at: datetime


def read_folder(database: Database, mailbox: Mailbox, client: IMAPClient, folder: str) -> Counter[Outcome]:
    """Take in everything new, oldest first, and say what became of it.

    The first time, mail that nobody has seen is new. A mail is marked as seen only after its transaction, in which
    the cursor moves too. Raises `DatabaseError` and what `imap_errors` turns into errors for people; what was read
    before that stays read.
    """
    status = client.select_folder(folder)
    validity, following = int(status[b"UIDVALIDITY"]), int(status.get(b"UIDNEXT", 1))
    place = _place(database, mailbox, folder)
    uids, in_order = _new_uids(client, place, validity)
    counts: Counter[Outcome] = Counter()
    for uid in uids:
        cursor = _cursor(mailbox, folder, validity, uid) if in_order else None
        try:
            mail = _fetch(client, uid)
        except imaplib.IMAP4.abort:
            raise  # the connection broke: the same again on the next one
        except (imaplib.IMAP4.error, _WithheldError) as error:
            mark = f"mail {uid} of folder {folder} ({validity})".encode()
            counts[
                _keep(database, mailbox, mark, f"the server does not hand this mail out: {error}", cursor).outcome
            ] += 1
            continue
        if mail is None:
            continue  # deleted meanwhile
        taken = _take(database, mailbox, mail, cursor)
        counts[taken.outcome] += 1
        _mark_seen(client, uid)
    last = max([place.last_uid if place and in_order else 0, following - 1, *(uids if in_order else ())])
    with database.session() as session:
        _move(session, _cursor(mailbox, folder, validity, last))
    return counts


def _mark_seen(client: IMAPClient, uid: int) -> None:
    """In a folder that may only be read the mark stays away; the cursor is what counts."""
    try:
        client.add_flags([uid], [SEEN], silent=True)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        log.info("a mail could not be marked as seen: %s", error)


def _new_uids(client: IMAPClient, place: _Place | None, validity: int) -> tuple[list[int], bool]:
    """The numbers of new mail, and whether all mail up to each of them is known once it is read."""
    if place is None:
        return sorted(client.search(["UNSEEN"])), False
    if place.uidvalidity != validity:
        log.warning("the server numbered a mail folder anew; recent mail is read again, known mail has no effect")
        since = (place.read_at - LOOK_BACK).date()
        return sorted(client.search(["OR", "UNSEEN", "SINCE", since])), False
    found = client.search(["UID", f"{place.last_uid + 1}:*"])
    return sorted(uid for uid in found if uid > place.last_uid), True  # n:* has the last mail even when it is older


def _fetch(client: IMAPClient, uid: int) -> Arrival | None:
    facts = client.fetch([uid], ["RFC822.SIZE", "INTERNALDATE"]).get(uid)
    if not facts:
        return None
    size = int(facts.get(b"RFC822.SIZE", 0))
    # PEEK, so that a mail is not marked as seen before it is on disk
    wanted = f"BODY.PEEK[]<0.{MAX_MAIL_BYTES}>" if size > MAX_MAIL_BYTES else "BODY.PEEK[]"
    answer: dict[bytes, Any] = client.fetch([uid], [wanted]).get(uid, {})
    raw = next((value for key, value in answer.items() if key.startswith(b"BODY[]")), None)
    if not isinstance(raw, bytes):
        if client.fetch([uid], ["RFC822.SIZE"]).get(uid):
            raise _WithheldError("it has the mail, and answers without its text")
        return None
    arrived = facts.get(b"INTERNALDATE")
    if isinstance(arrived, datetime) and arrived.tzinfo is None:
        arrived = None
    return read_arrival(raw, arrived_at=arrived, cut_from=size if size > MAX_MAIL_BYTES else None)


def _take(database: Database, mailbox: Mailbox, mail: Arrival, cursor: dict[str, Any] | None) -> Taken:
    try:
        with database.session() as session:
            taken = take_mail(session, mailbox, mail)
            _move(session, cursor)
            return taken
    except DatabaseError:
        raise
    except Exception as error:  # one mail that breaks a rule of ours must not keep all later ones out
        log.error("a mail could not become a ticket and is kept as it came: %s", type(error).__name__, exc_info=error)
        return _keep(
            database,
            mailbox,
            mail.raw,
            f"the mail could not become a ticket ({type(error).__name__}: {error})",
            cursor,
            mail.at,
        )


def _keep(
    database: Database,
    mailbox: Mailbox,
    raw: bytes,
    problem: str,
    cursor: dict[str, Any] | None,
    at: datetime | None = None,
) -> Taken:
    """A ticket for a person instead of the mail, and on to the next one."""
    with database.session() as session:
        taken = keep_unreadable(session, mailbox, raw, problem, at or datetime.now(UTC))
        _move(session, cursor)
        return taken


def _place(database: Database, mailbox: Mailbox, folder: str) -> _Place | None:
    query = sa.select(mail_folders).where(mail_folders.c.account == mailbox.account, mail_folders.c.folder == folder)
    with database.session(read_only=True) as session:
        row = session.execute(query).one_or_none()
    return None if row is None else _Place(row.uidvalidity, row.last_uid, row.read_at)


def _cursor(mailbox: Mailbox, folder: str, validity: int, uid: int) -> dict[str, Any]:
    return {
        "account": mailbox.account,
        "folder": folder,
        "uidvalidity": validity,
        "last_uid": uid,
        "read_at": datetime.now(UTC),
    }


def _move(session: Session, cursor: dict[str, Any] | None) -> None:
    if cursor is not None:
        session.execute(upsert(session, mail_folders).values(cursor))
