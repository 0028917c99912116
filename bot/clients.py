"""Conversations with customers whom another chat client knows by an id of its own, such as Rasa's ``sender``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bot.conversations import Conversations
from bot.session_store import Vouched
from bot.turn import PERSON, Choice, Role, Said, Turn
from desk.database import Database
from desk.tables import client_senders, insert_new

PAYLOAD = "/"
"""Before a button's value, as Rasa's clients send it back."""
FORGET_AFTER = timedelta(hours=24)
"""A sender who was silent for longer begins a new conversation: another person may sit there by now."""
FORGET_HANDED_OFF_AFTER = timedelta(days=7)
"""Longer once a person has taken over, whose answer is told with the customer's next message."""
_VOUCHED = Vouched()


@dataclass(frozen=True)
class ClientTurn:
    """What a client shows: people's answers that came in between, oldest first, then the bot's turn."""

    agents: tuple[str, ...]
    turn: Turn

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything to say, in order."""
        return (*self.agents, *(said.text for said in self.turn.messages))


@dataclass(frozen=True)
class _Known:
    session_id: str
    written_at: datetime


class ClientChats:
    """Conversations by client and sender; who calls has proven that the sender is who they say.

    Methods raise what `Conversations` raises.
    """

    def __init__(self, database: Database, conversations: Conversations) -> None:
        self._database, self._conversations = database, conversations

    def say(
        self,
        client: str,
        sender: str,
        text: str,
        *,
        site: str,
        locale: str | None = None,
        client_id: str | None = None,
        address: str | None = None,
        now: datetime | None = None,
    ) -> ClientTurn:
        """One message of a sender, and the turn that answers it. A button may be sent back by label or by payload.

        ``address`` is where the customer writes from; where only the client knows that, the sender stands for it.
        """
        moment = now or datetime.now(UTC)
        known = self._known(client, sender)
        if known is None or self._is_over(known, moment):
            started = _Known(self._conversations.start(site, locale).session_id, moment)
            known = self._database.write(lambda session: _replace(session, client, sender, known, started))
        history = self._conversations.history(known.session_id, _VOUCHED)
        agents = tuple(e.text for e in history if e.role is Role.AGENT and e.at > known.written_at)
        choice = pressed(text, history[-1].choices if history else ())
        turn = self._conversations.say(
            known.session_id,
            _VOUCHED,
            choice.label if choice else text,
            client_id,
            choice.value if choice else None,
            address=address or f"{client}:{_digest(sender)}",
        )
        self._database.write(lambda session: _wrote(session, client, sender, moment))
        return ClientTurn(agents, turn)

    def start(
        self, client: str, sender: str, *, site: str, locale: str | None = None, now: datetime | None = None
    ) -> tuple[Said, ...]:
        """Begin a new conversation, whatever was before; returns the greeting."""
        started = self._conversations.start(site, locale)
        new = _Known(started.session_id, now or datetime.now(UTC))
        self._database.write(lambda session: _remember(session, client, sender, new))
        return started.messages

    def forget(self, client: str, sender: str) -> None:
        """The sender's next message begins a new conversation."""
        mine = client_senders.c.client == client, client_senders.c.sender == _digest(sender)
        self._database.write(lambda session: session.execute(client_senders.delete().where(*mine)))

    def _known(self, client: str, sender: str) -> _Known | None:
        with self._database.session(read_only=True) as session:
            return _known(session, client, sender)

    def _is_over(self, known: _Known, now: datetime) -> bool:
        silent = now - known.written_at
        if silent <= FORGET_AFTER:
            return False
        history = self._conversations.history(known.session_id, _VOUCHED)
        handed_off = bool(history and history[-1].ticket_id)
        return not handed_off or silent > FORGET_HANDED_OFF_AFTER


def pressed(text: str, open_choices: tuple[Choice, ...]) -> Choice | None:
    """The button that ``text`` is the label or the payload of, None where it is none of those open."""
    wanted = text.strip()
    for choice in open_choices:
        if wanted.casefold() == choice.label.casefold() or wanted == f"{PAYLOAD}{choice.value}":
            return choice
    # A person may be asked for at any time, with buttons that are long gone too.
    return Choice("", PERSON) if wanted == f"{PAYLOAD}{PERSON}" else None


def _known(session: Session, client: str, sender: str, *, held: bool = False) -> _Known | None:
    mine = client_senders.c.client == client, client_senders.c.sender == _digest(sender)
    query = sa.select(client_senders).where(*mine)
    row = session.execute(query.with_for_update() if held else query).one_or_none()
    return None if row is None else _Known(row.session_id, row.written_at)


def _replace(session: Session, client: str, sender: str, before: _Known | None, new: _Known) -> _Known:
    """Begin with ``new``, unless another message of the sender came first and began a conversation of its own."""
    if before is None:
        first = insert_new(session, client_senders).values(_row(client, sender, new)).on_conflict_do_nothing()
        session.execute(first)  # waits for another one that is under way
    there = _known(session, client, sender, held=True)
    if there is not None and (before is None or there.session_id != before.session_id):
        return there
    return _remember(session, client, sender, new)


def _remember(session: Session, client: str, sender: str, new: _Known) -> _Known:
    row = _row(client, sender, new)
    key = [client_senders.c.client, client_senders.c.sender]
    changed = {"session_id": new.session_id, "written_at": new.written_at}
    session.execute(
        insert_new(session, client_senders).values(row).on_conflict_do_update(index_elements=key, set_=changed)
    )
    return new


def _row(client: str, sender: str, known: _Known) -> dict[str, object]:
    return {
        "client": client,
        "sender": _digest(sender),
        "session_id": known.session_id,
        "written_at": known.written_at,
    }


def _wrote(session: Session, client: str, sender: str, now: datetime) -> None:
    mine = client_senders.c.client == client, client_senders.c.sender == _digest(sender)
    session.execute(client_senders.update().where(*mine).values(written_at=now))


def _digest(sender: str) -> str:
    return hashlib.sha256(sender.encode("utf-8", "replace")).hexdigest()
