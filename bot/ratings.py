"""What customers think of a conversation: on record once, as an event of the ticket where there is one.

BotError
    ├── NothingToRateError   the customer has not said anything yet
    └── AlreadyRatedError    another rating of the same scale is on record
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.session_store import ACTOR, BotError, SessionStore, Vouched
from bot.turn import Role
from desk.database import Database
from desk.ledger import EventKind, append
from desk.tables import chat_ratings, chat_sessions, upsert


class NothingToRateError(BotError):
    """The customer has not said anything yet."""


class AlreadyRatedError(BotError):
    """Another rating of the same scale is on record; ratings are not changed afterwards."""


@dataclass(frozen=True)
class Rating:
    """``csat`` 1 (very dissatisfied) to 5, ``nps`` 0 (would not recommend) to 10, a comment; None where not given."""

    csat: int | None = None
    nps: int | None = None
    comment: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The public form; what was not given is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Ratings:
    """Ratings of chat sessions. Methods raise `DatabaseError` when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sessions = SessionStore(database)

    def rate(self, session_id: str, token: str | Vouched, given: Rating) -> Rating:
        """Record what is new in ``given`` and return all that is on record; the same again changes nothing.

        The scales may come one after the other. Raises `UnknownSessionError`, `WrongTokenError`, `NothingToRateError`
        and `AlreadyRatedError`.
        """
        _, turns = self._sessions.open(session_id, token)
        if not any(turn.role is Role.CUSTOMER for turn in turns):
            raise NothingToRateError("there is nothing to rate yet; rate after the first answer")
        return self._database.write(lambda session: _record(session, session_id, given))

    def of(self, session_id: str) -> Rating:
        """What is on record for a session; empty where nothing is."""
        with self._database.session(read_only=True) as session:
            return _on_record(session, session_id)


def _record(session: Session, session_id: str, given: Rating) -> Rating:
    # Held, so that two ratings at the same moment are one after the other and the ticket is the one of now.
    held = sa.select(chat_sessions.c.ticket_id).where(chat_sessions.c.id == session_id).with_for_update()
    ticket_id = session.execute(held).scalar_one()
    known = _on_record(session, session_id).to_json()
    wanted = given.to_json()
    if changed := [name for name in wanted if known.get(name, wanted[name]) != wanted[name]]:
        raise AlreadyRatedError(f"{', '.join(changed)}: this conversation was rated before, and ratings stay as given")
    new = {name: value for name, value in wanted.items() if name not in known}
    if new:
        row = {"session_id": session_id, **asdict(Rating(**(known | new))), "rated_at": datetime.now(UTC)}
        session.execute(upsert(session, chat_ratings), [row])
        if ticket_id is not None:
            append(session, ticket_id, EventKind.RATED, actor=ACTOR, data=new)
    return Rating(**(known | new))


def _on_record(session: Session, session_id: str) -> Rating:
    row = session.execute(sa.select(chat_ratings).where(chat_ratings.c.session_id == session_id)).one_or_none()
    return Rating() if row is None else Rating(row.csat, row.nps, row.comment)
