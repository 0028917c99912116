"""The ticket that a person gets: the customer's words first, then what was said, in one piece with its tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from bot.expectation import CHANNEL, AnswerBy
from bot.reply import PASSED_ON, HandOff
from bot.session_store import OpenSession, StoredTurn
from bot.turn import Role, Said
from bot.wording import SOURCE, LocaleWording
from classifier.tagger import Alternative
from desk.intake import customer_wrote, take_in
from desk.ledger import Event, EventKind, append_many
from desk.tagging import tag_data
from desk.ticket import IncomingTicket

ACTOR = "bot"
_TRANSCRIPT_CHARACTERS = 80_000
# What follows this line of a mail is not the sender's words, so a model reads and learns the customer's only.
_END_OF_OWN_WORDS = "-- "


def hand_over(
    session: Session,
    chat: OpenSession,
    package: HandOff,
    turns: Sequence[StoredTurn],
    last_words: str,
    answer_by: AnswerBy,
    words: LocaleWording,
    saying: Sequence[Said] = (),
) -> str:
    """Store what a person needs, in the caller's transaction; returns the ticket's id.

    A chat has one ticket: what comes later is added to it. ``saying`` is what the bot says in this very turn.
    """
    now = datetime.now(UTC)
    tag = replace(package.tag, secondary=_secondary(package))
    tagged = Event("", EventKind.TAGGED, now, f"model:{package.tag.model}", tag_data(tag))
    told = Event("", EventKind.HANDED_OFF, now, ACTOR, _told(chat, package, turns, last_words, answer_by))
    if chat.ticket_id:
        message = f"{chat.id}/{chat.state.version + 1}"
        customer_wrote(session, chat.ticket_id, last_words, source=CHANNEL, message_id=message, at=now)
        # What was passed on first keeps its tag: a further thing beside an answer is told in the hand-off alone.
        more = (told,) if package.wording == PASSED_ON else (tagged, told)
        append_many(session, [replace(event, ticket_id=chat.ticket_id) for event in more])
        return chat.ticket_id
    ticket = IncomingTicket(
        source=CHANNEL,
        external_id=chat.id,
        body=_body(package, turns, last_words, words, saying),
        channel=CHANNEL,
        language=package.language,
        customer_email=package.email if package.verified else None,
        customer_name=_name(package),
        order_id=package.order_id if package.verified else None,
        created_at=now,
    )
    return take_in(session, [(ticket, [tagged, told])])[0].ticket_id


def words_of(
    package: HandOff, ticket_id: str, answer_by: AnswerBy, words: LocaleWording, locale: str, *, mails: bool
) -> tuple[Said, ...]:
    """What the customer is told about it. ``mails``: answers can go out by mail."""
    keys = [package.wording, "hand_off_expect"]
    keys += ["hand_off_mail"] if mails and package.verified and package.email else []
    keys += ["meanwhile"] if package.meanwhile else []
    values = {"ticket": ticket_id, **answer_by.words(words, locale)}
    said = tuple(Said(words.say(key, **values), f"{SOURCE}:{key}") for key in keys)
    return said + ((package.meanwhile,) if package.meanwhile else ())


def _secondary(package: HandOff) -> tuple[Alternative, ...]:
    probable = {also.id: also.probability for also in package.tag.secondary}
    further = tuple(Alternative(reason, probable.get(reason, 0.0)) for reason in package.further)
    return further or package.tag.secondary


def _name(package: HandOff) -> str | None:
    name = package.order.facts.get("buyer.name") if package.order else None
    return str(name)[:200] if name else None


def _told(
    chat: OpenSession, package: HandOff, turns: Sequence[StoredTurn], last_words: str, answer_by: AnswerBy
) -> dict[str, Any]:
    return {
        "why": str(package.why),
        "reason": package.reason,
        "chosen_reason": package.chosen_reason,
        "further": list(package.further),
        "alternatives": [{"id": item.id, "probability": item.probability} for item in package.tag.reasons],
        "guard": list(package.tag.guard),
        "sentiment": package.tag.sentiment,
        "language": package.language,
        "site": chat.site,
        "order_id": package.order_id,
        "verified": package.verified,
        "failed_proofs": package.failures,
        "order": {"facts": dict(package.order.facts), "as_of": package.order.as_of.isoformat()}
        if package.order
        else None,
        "said": [turn.source for turn in turns if turn.role is Role.BOT and turn.act],
        "tried": [*_tried(turns), {"wrote": last_words}],
        "draft": package.draft.to_json() if package.draft else None,
        "answer_by": answer_by.moment.astimezone(UTC).isoformat(),
    }


def _tried(turns: Sequence[StoredTurn]) -> list[dict[str, str]]:
    """What the customer did before, in order: wrote something, or pressed a button."""
    return [{"pressed" if turn.is_choice else "wrote": turn.text} for turn in turns if turn.role is Role.CUSTOMER]


def _body(
    package: HandOff, turns: Sequence[StoredTurn], last_words: str, words: LocaleWording, saying: Sequence[Said]
) -> str:
    own = [turn.text for turn in turns if turn.role is Role.CUSTOMER and not turn.is_choice]
    own.append(last_words)
    names = {Role.CUSTOMER: words.customer, Role.BOT: words.assistant}
    said = [(names[turn.role], turn.text) for turn in turns if turn.role in names]
    said.append((words.customer, last_words))
    said += [(words.assistant, one.text) for one in saying]
    transcript = "\n\n".join(f"{name}: {text}" for name, text in said)[-_TRANSCRIPT_CHARACTERS:]
    order: tuple[str, ...] = ()
    if package.order_id and not package.verified:
        order = (words.order_given.format(order=package.order_id),)
    return "\n".join(
        ["\n".join(own), "", _END_OF_OWN_WORDS, *order, f"{words.transcript}:", "", transcript],
    )
