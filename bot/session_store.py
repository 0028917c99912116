"""Chat sessions on disk, turn by turn.

BotError
    ├── UnknownSessionError    no session has this id
    ├── WrongTokenError        the token is not this session's
    ├── BusySessionError       other messages of the same session kept arriving first
    ├── EmptyMessageError      bot.conversations   nothing was said
    └── MessageTooLongError    bot.conversations   more than MAX_MESSAGE characters
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.state import State
from bot.turn import Act, Role, Said, Turn
from desk.database import Database
from desk.ledger import lock, state_of
from desk.tables import chat_sessions, chat_turns, ticket_states

CHOICE_PREFIX = "choice:"
"""Source of a customer's turn that was a button; its text is the button's label, not the customer's words."""
ASIDE = "aside"
"""Source of a customer's turn that says nothing about the concern: small talk, or order details alone."""
ACTOR = "customer"
ESCALATED = "escalated"
CAME_BACK = "came_back"
"""Outcomes that are final at once: a person got the chat, or the customer came back to it. See `bot.outcomes`."""


class BotError(Exception):
    """Base of every error of the bot; the message says what was wrong and what to do."""


class UnknownSessionError(BotError):
    """No session has this id."""


class WrongTokenError(BotError):
    """The token is not this session's. Clients are told the same as for an unknown session."""


class BusySessionError(BotError):
    """Other messages of the same session kept arriving first."""


class OvertakenError(BotError):
    """Another message of the session was stored since this one was read."""


class Vouched:
    """Stands in for a token where our own code has proven in another way whose session it is, as clients of ours do."""


@dataclass(frozen=True)
class OpenSession:
    """A session that its token opened. ``answered``: a person has replied on its ticket."""

    id: str
    site: str
    locale: str
    state: State
    ticket_id: str | None
    answered: bool = False


@dataclass(frozen=True)
class StoredTurn:
    """One row of a session's history."""

    seq: int
    role: Role
    text: str
    at: datetime
    client_id: str | None
    act: str | None
    reason: str | None
    source: str | None

    @property
    def is_choice(self) -> bool:
        """Whether a button was pressed."""
        return self.source is not None and self.source.startswith(CHOICE_PREFIX)

    @property
    def is_aside(self) -> bool:
        """Whether there was nothing to judge in it."""
        return self.source == ASIDE


@dataclass(frozen=True)
class CustomerMessage:
    """What the customer sent: shown ``text``, and the value of the button where one was pressed."""

    text: str
    client_id: str | None
    choice: str | None


class SessionStore:
    """Over `chat_sessions` and `chat_turns`. Methods raise `DatabaseError` when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, site: str, locale: str, state: State, greeting: Sequence[Said]) -> tuple[str, str]:
        """A new session; returns its id and its token (256 bits, stored as SHA-256 only)."""
        session_id, token, now = f"C-{secrets.token_hex(8)}", secrets.token_urlsafe(32), datetime.now(UTC)

        def act(session: Session) -> None:
            session.execute(
                chat_sessions.insert().values(
                    id=session_id,
                    site=site,
                    locale=locale,
                    token_hash=_digest(token),
                    state=state.to_json(),
                    created_at=now,
                )
            )
            _insert_said(session, session_id, greeting, None, None, now)

        self._database.write(act)
        return session_id, token

    def open(self, session_id: str, token: str | Vouched) -> tuple[OpenSession, list[StoredTurn]]:
        """The session and everything said in it, in order, both of the same moment.

        Raises `UnknownSessionError` and `WrongTokenError`.
        """
        answered = ticket_states.c.first_reply_at.is_not(None).label("answered")
        joined = chat_sessions.outerjoin(ticket_states, ticket_states.c.ticket_id == chat_sessions.c.ticket_id)
        query = sa.select(chat_sessions, answered).select_from(joined).where(chat_sessions.c.id == session_id)
        # One transaction: a message stored between two would show a hand-off without its ticket.
        with self._database.session(read_only=True) as session:
            row = session.execute(query).one_or_none()
            known = row.token_hash if row is not None else _digest("")
            fits = isinstance(token, Vouched) or hmac.compare_digest(_digest(token), known)
            if row is None:
                raise UnknownSessionError("there is no such chat session; start a new one")
            if not fits:
                raise WrongTokenError("there is no such chat session; start a new one")
            state = State.from_json(row.state)
            found = OpenSession(row.id, row.site, row.locale, state, row.ticket_id, bool(row.answered))
            return found, _turns(session, session_id)

    def record(
        self,
        before: OpenSession,
        message: CustomerMessage,
        finish: Callable[[Session], Turn],
        state: State,
        *,
        outcome: str | None,
        aside: bool = False,
    ) -> Turn:
        """Store message, turn and next state in one transaction, with all that ``finish`` does for the turn.

        Raises `OvertakenError`, with nothing stored, when the session went on since ``before`` was read, be it that a
        person has replied meanwhile.
        """
        now = datetime.now(UTC)

        def act(session: Session) -> Turn:
            held = sa.select(chat_sessions.c.state).where(chat_sessions.c.id == before.id).with_for_update()
            if State.from_json(session.execute(held).scalar_one()).version != before.state.version:
                raise OvertakenError("the session went on")
            if before.ticket_id and not before.answered:
                lock(session, [before.ticket_id])
                if state_of(session, before.ticket_id).first_reply_at is not None:
                    raise OvertakenError("a person has replied")
            turn = finish(session)
            source = f"{CHOICE_PREFIX}{message.choice}" if message.choice else ASIDE if aside else None
            row = {"session_id": before.id, "client_id": message.client_id, "role": Role.CUSTOMER.value}
            session.execute(chat_turns.insert().values(**row, text=message.text, source=source, at=now))
            _insert_said(session, before.id, turn.messages, turn.act, turn.reason, now)
            values: dict[str, Any] = {
                "state": state.to_json(),
                "locale": turn.locale,
                "ticket_id": turn.ticket_id,
                "outcome": ESCALATED if turn.ticket_id else outcome,
                "settled_at": now if turn.ticket_id or outcome == CAME_BACK else None,
                "ended_at": now if turn.act is Act.CLOSE else None,
            }
            session.execute(chat_sessions.update().where(chat_sessions.c.id == before.id).values(**values))
            return turn

        return self._database.write(act)


def replay(turns: Sequence[StoredTurn], client_id: str, session: OpenSession) -> Turn | None:
    """The turn that answered ``client_id``, None where it was not heard yet. Its buttons are those open now."""
    heard = next((i for i, turn in enumerate(turns) if turn.client_id == client_id), None)
    if heard is None:
        return None
    answers = []
    for turn in turns[heard + 1 :]:
        if turn.role is Role.CUSTOMER:
            break
        answers.append(turn)
    last = answers[-1] if answers else None
    return Turn(
        Act(last.act) if last and last.act else Act.HAND_OFF,
        last.reason if last else session.state.reason,
        tuple(Said(turn.text, turn.source or "") for turn in answers),
        session.state.choices,
        session.locale,
        session.ticket_id,
    )


def _insert_said(
    session: Session, session_id: str, said: Sequence[Said], act: Act | None, reason: str | None, at: datetime
) -> None:
    for message in said:
        session.execute(
            chat_turns.insert().values(
                session_id=session_id,
                role=Role.BOT.value,
                text=message.text,
                act=act.value if act else None,
                reason=reason,
                source=message.source,
                at=at,
            )
        )


def stored_turn(row: sa.Row[Any]) -> StoredTurn:
    """The turn in a row of `chat_turns`."""
    return StoredTurn(row.seq, Role(row.role), row.text, row.at, row.client_id, row.act, row.reason, row.source)


def _turns(session: Session, session_id: str) -> list[StoredTurn]:
    query = sa.select(chat_turns).where(chat_turns.c.session_id == session_id).order_by(chat_turns.c.seq)
    return [stored_turn(row) for row in session.execute(query)]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
