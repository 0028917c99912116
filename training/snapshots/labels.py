"""Who labelled what by when: read from the ledger of the desk and from the bot's conversations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.outcomes import Outcome, answers_of
from bot.session_store import StoredTurn, stored_turn
from bot.state import State
from bot.turn import Role
from desk.ledger import EventKind
from desk.tables import chat_sessions, chat_turns, events, tickets
from training.snapshots.snapshot import BOT, CONFIRMED, CORRECTED

CHUNK = 500  # ids per IN list, below the parameter limit of both databases
FALLBACK_LANGUAGE = "en"
CHAT = "chat"
_BY_PERSON = frozenset({EventKind.TAG_CONFIRMED.value, EventKind.RETAGGED.value})
_KINDS = (*sorted(_BY_PERSON), EventKind.TAGGED.value)


@dataclass(frozen=True, slots=True)
class Label:
    """A reason that somebody gave to a text, with what identifies the customer; never written anywhere."""

    id: str
    reason: str
    locale: str
    channel: str
    marketplace: str
    subject: str
    body: str
    order_id: str | None
    customer_email: str | None
    customer_name: str | None
    opened_at: datetime
    source: str
    labelled_by: str | None
    labelled_at: datetime
    tagged: str | None = None
    tagged_probability: float | None = None
    undecided: bool = False


def labels_of_people(session: Session, start: datetime | None, end: datetime) -> Iterator[Label]:
    """The newest label before ``end`` of each ticket opened in the period that a person labelled by then."""
    opened = [tickets.c.created_at < end] + ([tickets.c.created_at >= start] if start else [])
    labelled = sa.select(events.c.ticket_id).where(events.c.kind.in_(sorted(_BY_PERSON)), events.c.at < end)
    query = sa.select(tickets.c.id).where(*opened, tickets.c.id.in_(labelled)).order_by(tickets.c.created_at)
    ids = session.scalars(query.order_by(tickets.c.id)).all()
    for at in range(0, len(ids), CHUNK):
        chunk = ids[at : at + CHUNK]
        facts: dict[str, list[sa.Row[Any]]] = defaultdict(list)
        told = sa.select(events).where(events.c.ticket_id.in_(chunk), events.c.kind.in_(_KINDS), events.c.at < end)
        for fact in session.execute(told.order_by(events.c.at, events.c.seq)):
            facts[fact.ticket_id].append(fact)
        for row in session.execute(sa.select(tickets).where(tickets.c.id.in_(chunk))):
            yield _label(row, facts[row.id])


def _label(row: sa.Row[Any], facts: Sequence[sa.Row[Any]]) -> Label:
    place = max(i for i, fact in enumerate(facts) if fact.kind in _BY_PERSON)
    verdict = facts[place]
    tag = next((fact.data for fact in reversed(facts[:place]) if fact.kind not in _BY_PERSON), None)
    reason, tagged = str(verdict.data["reason"]), str(tag["reason"]) if tag else None
    # who confirms a colleague's correction confirms no model
    corrected = verdict.kind == EventKind.RETAGGED.value or (tagged is not None and tagged != reason)
    return Label(
        id=row.id,
        reason=reason,
        locale=(tag or {}).get("language") or row.language or FALLBACK_LANGUAGE,
        channel=row.channel,
        marketplace=row.marketplace or "",
        subject=row.subject,
        body=row.body,
        order_id=row.order_id,
        customer_email=row.customer_email,
        customer_name=row.customer_name,
        opened_at=row.created_at,
        source=CORRECTED if corrected else CONFIRMED,
        # an import without an agent names nobody
        labelled_by=verdict.actor if ":" in verdict.actor else None,
        labelled_at=verdict.at,
        tagged=tagged,
        tagged_probability=float(tag["confidence"]) if tag and tag.get("confidence") is not None else None,
        undecided=bool(tag and tag.get("decision") == "undecided"),
    )


def bot_labels(session: Session, start: datetime | None, end: datetime) -> Iterator[Label]:
    """Conversations on one reason that ended with a customer who said that the answer helped, final before ``end``."""
    columns = chat_sessions.c
    opened = [columns.created_at < end] + ([columns.created_at >= start] if start else [])
    settled = columns.outcome == Outcome.CONFIRMED.value, columns.settled_at < end, columns.ticket_id.is_(None)
    rows = session.execute(sa.select(chat_sessions).where(*opened, *settled).order_by(columns.id)).all()
    for at in range(0, len(rows), CHUNK):
        chunk = rows[at : at + CHUNK]
        turns: dict[str, list[StoredTurn]] = defaultdict(list)
        query = sa.select(chat_turns).where(chat_turns.c.session_id.in_([row.id for row in chunk]))
        for turn in session.execute(query.order_by(chat_turns.c.seq)):
            turns[turn.session_id].append(stored_turn(turn))
        for row in chunk:
            if (label := _of_bot(row, turns[row.id])) is not None:
                yield label


def _of_bot(row: sa.Row[Any], turns: Sequence[StoredTurn]) -> Label | None:
    answers = answers_of(turns)
    asked = next((t for t in turns if t.role is Role.CUSTOMER and not t.is_choice and not t.is_aside), None)
    if asked is None or len({answer.reason for answer in answers}) != 1 or not any(a.helped for a in answers):
        return None  # several things were asked for: which of the words were about which is not known
    state = State.from_json(row.state)
    return Label(
        id=row.id,
        reason=answers[0].reason,
        locale=row.locale or FALLBACK_LANGUAGE,
        channel=CHAT,
        marketplace="",
        subject="",
        body=asked.text,
        order_id=state.order_id,
        customer_email=state.email,
        customer_name=None,
        opened_at=asked.at,
        source=BOT,
        labelled_by=None,
        labelled_at=turns[-1].at,
        tagged=answers[0].reason,
    )
