"""The ticket that a person gets: the customer's words first, then what was said, in one piece with its tag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot.reply import HandOff
from bot.session_store import StoredTurn
from bot.turn import Role, Said
from bot.wording import SOURCE, LocaleWording
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from desk.tagging import tag_data

ACTOR = "bot"
CHANNEL = "chat"
_TRANSCRIPT_CHARACTERS = 80_000
# What follows this line of a mail is not the sender's words, so a model reads and learns the customer's only.
_END_OF_OWN_WORDS = "-- "


def make_ticket(
    desk: Desk,
    session_id: str,
    site: str,
    package: HandOff,
    turns: Sequence[StoredTurn],
    last_words: str,
    words: LocaleWording,
) -> str:
    """Store the ticket with its tag and the hand-off, all at once; returns its id.

    The session is the ticket's external id: repeating the hand-off gives the same ticket.
    """
    now = datetime.now(UTC)
    ticket = IncomingTicket(
        source=CHANNEL,
        external_id=session_id,
        body=_body(package, turns, last_words, words),
        channel=CHANNEL,
        language=package.language,
        order_id=package.order_id if package.verified else None,
        created_at=now,
    )
    facts = [
        Event("", EventKind.TAGGED, now, f"model:{package.tag.model}", tag_data(package.tag)),
        Event("", EventKind.HANDED_OFF, now, ACTOR, _told(package, turns, site)),
    ]
    return desk.receive_many([(ticket, facts)])[0].ticket_id


def words_of(package: HandOff, ticket_id: str, reply_hours: int, words: LocaleWording) -> tuple[Said, ...]:
    """What the customer is told about it."""
    values = {"ticket": ticket_id, "hours": str(reply_hours)}
    keys = [package.wording, "hand_off_expect", *(["meanwhile"] if package.meanwhile else [])]
    said = tuple(Said(words.say(key, **values), f"{SOURCE}:{key}") for key in keys)
    return said + ((package.meanwhile,) if package.meanwhile else ())


def _told(package: HandOff, turns: Sequence[StoredTurn], site: str) -> dict[str, Any]:
    return {
        "why": str(package.why),
        "reason": package.reason,
        "chosen_reason": package.chosen_reason,
        "alternatives": [{"id": item.id, "probability": item.probability} for item in package.tag.reasons],
        "guard": list(package.tag.guard),
        "sentiment": package.tag.sentiment,
        "language": package.language,
        "site": site,
        "order_id": package.order_id,
        "verified": package.verified,
        "said": [turn.source for turn in turns if turn.role is Role.BOT and turn.act],
    }


def _body(package: HandOff, turns: Sequence[StoredTurn], last_words: str, words: LocaleWording) -> str:
    own = [turn.text for turn in turns if turn.role is Role.CUSTOMER and not turn.is_choice]
    own.append(last_words)
    names = {Role.CUSTOMER: words.customer, Role.BOT: words.assistant}
    said = [(names[turn.role], turn.text) for turn in turns if turn.role in names]
    said.append((words.customer, last_words))
    transcript = "\n\n".join(f"{name}: {text}" for name, text in said)[-_TRANSCRIPT_CHARACTERS:]
    order: tuple[str, ...] = ()
    if package.order_id and not package.verified:
        order = (words.order_given.format(order=package.order_id),)
    return "\n".join(
        ["\n".join(own), "", _END_OF_OWN_WORDS, *order, f"{words.transcript}:", "", transcript],
    )
