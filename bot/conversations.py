"""The chat: start a session, say something, read what was said. Every turn is on disk before it is answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from bot.answers import Answers
from bot.autonomy import Dial
from bot.decision import Decision, DecisionSettings, starter_decision
from bot.dialogue import Dialogue, Heard, Tagger
from bot.expectation import CHANNEL, AnswerBy, Expectation
from bot.hand_off import ACTOR, hand_over, words_of
from bot.order_lookup import OrderLookup, holds_orders
from bot.outcomes import Outcome, ending_of
from bot.phrases import Phrases, starter_phrases
from bot.reply import HandOff, Reply, Resources
from bot.session_store import (
    BotError,
    BusySessionError,
    CustomerMessage,
    OpenSession,
    OvertakenError,
    SessionStore,
    StoredTurn,
    Vouched,
    replay,
)
from bot.spoken_language import SpokenLanguage, locale_for
from bot.state import Phase, State
from bot.turn import PERSON, Act, Choice, Entry, Role, Said, Started, Turn
from bot.verification import ProofLocks, Prover
from bot.wording import SOURCE, Wording, starter_wording
from classifier.language import language_identifier
from desk.database import Database
from desk.inbox import Desk
from desk.intake import customer_wrote
from desk.ledger import Event, EventKind, append
from desk.order_table import OrderSource
from kb.knowledge import KnowledgeBase

MAX_MESSAGE = 4_000
"""Characters of one customer message."""
_ATTEMPTS = 5


class EmptyMessageError(BotError):
    """Nothing was said."""


class MessageTooLongError(BotError):
    """More than `MAX_MESSAGE` characters."""


class Conversations:
    """Every conversation of the desk's chat. Safe between threads and processes on one database.

    ``mails``: what people answer also goes to a customer's e-mail address, once it was proven. Methods raise
    `DatabaseError` when the database cannot be used.
    """

    def __init__(
        self,
        database: Database,
        desk: Desk,
        tagger: Tagger,
        knowledge: KnowledgeBase,
        orders: OrderSource,
        wording: Wording | None = None,
        settings: DecisionSettings | None = None,
        *,
        shop: str = "Our shop",
        phrases: Phrases | None = None,
        mails: bool = False,
    ) -> None:
        self._desk = desk
        self._mails = mails
        self._expectation = Expectation(desk.policies)
        self._store = SessionStore(database)
        self._wording = wording or starter_wording()
        self._settings = settings or starter_decision()
        self._shop = shop
        self._supported = frozenset(self._wording.locales)
        resources = Resources(
            taxonomy=desk.taxonomy,
            decision=Decision(self._settings, desk.taxonomy, Dial(database, desk.taxonomy).level),
            answers=Answers(knowledge, settings),
            orders=OrderLookup(orders, shop, self._deadline, lambda: holds_orders(database, orders)),
            wording=self._wording,
        )
        self._orders, self._locks = resources.orders, ProofLocks(database, self._settings)
        language = SpokenLanguage(language_identifier(), self._settings, self._supported)
        self._dialogue = Dialogue(resources, tagger, language, phrases or starter_phrases())

    def start(self, site: str, locale: str | None = None) -> Started:
        """Open a session on ``site`` in the supported language nearest to ``locale`` (BCP 47)."""
        chosen = locale_for(locale, self._supported, self._settings.fallback_locale)
        words = self._wording[chosen]
        greeting = (Said(words.say("greeting", shop=self._shop), f"{SOURCE}:greeting"),)
        state = State(choices=(Choice(words.choices.person, PERSON),))
        session_id, token = self._store.create(site, chosen, state, greeting)
        return Started(session_id, token, chosen, greeting, state.choices)

    def say(
        self,
        session_id: str,
        token: str | Vouched,
        text: str,
        client_id: str | None = None,
        choice: str | None = None,
        *,
        address: str | None = None,
    ) -> Turn:
        """One customer message in, one turn out. The same ``client_id`` again gives the same turn, without effect.

        ``address`` is where the message came from; wrong proofs are counted by it too.

        Raises `UnknownSessionError`, `WrongTokenError`, `EmptyMessageError`, `MessageTooLongError`, and
        `BusySessionError` when the session's other messages keep overtaking this one.
        """
        if len(text) > MAX_MESSAGE:
            raise MessageTooLongError(f"text: has {len(text):,} characters; the limit is {MAX_MESSAGE:,}. Shorten it")
        prove = Prover(self._orders, self._locks, address)
        for _ in range(_ATTEMPTS):
            session, turns = self._store.open(session_id, token)
            if client_id and (told := replay(turns, client_id, session)):
                return told
            pressed = next((button for button in self._buttons(session) if button.value == choice), None)
            shown = text.strip() or (pressed.label if pressed else "")
            if not shown:
                raise EmptyMessageError("text: is empty; write a message or press one of the buttons offered")
            # Words beside a button are the customer's own and are judged as such.
            label_only = pressed is not None and shown.casefold() == pressed.label.casefold()
            message = CustomerMessage(shown, client_id, choice if label_only else None)
            heard = Heard(prove, "" if label_only else shown, pressed.value if pressed else None, _own_words(turns))
            try:
                return self._take_turn(session, turns, message, heard)
            except OvertakenError:
                continue
        raise BusySessionError("several messages arrived at the same time; send this one again")

    def history(self, session_id: str, token: str | Vouched) -> list[Entry]:
        """Everything said so far, people's replies included, oldest first.

        Raises `UnknownSessionError` and `WrongTokenError`.
        """
        session, turns = self._store.open(session_id, token)
        entries = [_entry(turn) for turn in turns]
        if session.ticket_id:
            entries += [_reply(event) for event in self._desk.events(session.ticket_id) if _is_reply(event)]
        entries.sort(key=lambda entry: entry.at)  # stable: turns of one moment keep their order
        if entries:
            entries[-1] = replace(entries[-1], choices=session.state.choices, ticket_id=session.ticket_id)
        return entries

    # -- turns ---------------------------------------------------------------------------------------------

    def _take_turn(self, session: OpenSession, turns: list[StoredTurn], message: CustomerMessage, heard: Heard) -> Turn:
        version = session.state.version + 1
        # A person who has replied is never talked over, whatever the bot was about to ask.
        if session.answered or session.state.phase is Phase.HANDED_OFF:
            after = replace(
                session.state, version=version, phase=Phase.HANDED_OFF, acknowledged=True, choices=(), proof=None
            )
            return self._store.record(
                session, message, lambda sql: self._after_hand_off(sql, session, message), after, outcome=None
            )
        reply = self._dialogue.respond(session.state, session.locale, heard)
        return self._store.record(
            session,
            message,
            lambda sql: self._turn_of(sql, session, turns, message, reply),
            replace(reply.state, version=version),
            outcome=_outcome(turns, reply),
            aside=reply.aside,
        )

    def _turn_of(
        self, sql: Session, session: OpenSession, turns: list[StoredTurn], message: CustomerMessage, reply: Reply
    ) -> Turn:
        messages, ticket_id = reply.messages, session.ticket_id
        words = self._wording[reply.locale]
        if package := reply.hand_off:
            answer_by = self._expectation.answer_by(_decided(package))
            ticket_id = hand_over(sql, session, package, turns, message.text, answer_by, words)
            messages = words_of(package, ticket_id, answer_by, words, reply.locale, mails=self._mails)
        elif rest := reply.passes_on:
            *answers, last = messages
            answer_by = self._expectation.answer_by(None)
            ticket_id = hand_over(sql, session, rest, turns, message.text, answer_by, words, answers)
            messages = (*answers, self._passed_on(rest, ticket_id, answer_by, reply.locale), last)
        elif ticket_id:
            append(sql, ticket_id, EventKind.NOTED, actor=ACTOR, data={"text": f"{words.customer}: {message.text}"})
        return Turn(reply.act, reply.reason, messages, reply.state.choices, reply.locale, ticket_id)

    def _passed_on(self, rest: HandOff, ticket_id: str, answer_by: AnswerBy, locale: str) -> Said:
        words, names = self._wording[locale], self._desk.taxonomy
        reasons = (rest.reason, *rest.further)
        topics = "; ".join(names[reason].name(locale) for reason in reasons)
        values = {"topics": topics, "ticket": ticket_id, **answer_by.words(words, locale)}
        return Said(words.say(rest.wording, **values), f"{SOURCE}:{rest.wording}")

    def _after_hand_off(self, sql: Session, session: OpenSession, message: CustomerMessage) -> Turn:
        said: tuple[Said, ...] = ()
        if not (session.state.acknowledged or session.answered):
            text = self._wording[session.locale].say("hand_off_more", ticket=session.ticket_id or "")
            said = (Said(text, f"{SOURCE}:hand_off_more"),)
        if session.ticket_id:
            message_id = message.client_id or str(session.state.version + 1)
            customer_wrote(
                sql, session.ticket_id, message.text, source=CHANNEL, message_id=f"{session.id}/{message_id}"
            )
        return Turn(Act.HAND_OFF, session.state.reason, said, (), session.locale, session.ticket_id)

    def _deadline(self, reason: str) -> datetime:
        return self._expectation.answer_by(reason).moment

    def _buttons(self, session: OpenSession) -> tuple[Choice, ...]:
        person = Choice(self._wording[session.locale].choices.person, PERSON)
        return (*session.state.choices, person)


def _own_words(turns: list[StoredTurn]) -> tuple[str, ...]:
    return tuple(turn.text for turn in turns if turn.role is Role.CUSTOMER and not (turn.is_choice or turn.is_aside))


def _outcome(turns: list[StoredTurn], reply: Reply) -> str | None:
    """How the conversation stands after ``reply``, as far as that is known before it has ended."""
    now = datetime.now(UTC)
    told = [StoredTurn(0, Role.CUSTOMER, "", now, None, None, None, None)]
    told += [StoredTurn(0, Role.BOT, "", now, None, reply.act, reply.reason, said.source) for said in reply.messages]
    outcome = ending_of([*turns, *told], now, escalated=False).outcome
    return outcome if outcome in (Outcome.CONFIRMED, Outcome.CAME_BACK) else None


def _decided(package: HandOff) -> str | None:
    """The reason as far as service levels may count on it."""
    return package.reason if package.tag.decision == "tagged" or package.chosen_reason else None


def _entry(turn: StoredTurn) -> Entry:
    return Entry(
        id=f"turn-{turn.seq}",
        role=turn.role,
        text=turn.text,
        at=turn.at,
        act=turn.act,
        reason=turn.reason,
        source=turn.source,
        client_id=turn.client_id,
    )


def _is_reply(event: Event) -> bool:
    return event.kind in {EventKind.REPLIED, EventKind.MACRO_SENT} and bool(event.data.get("text"))


def _reply(event: Event) -> Entry:
    return Entry(id=f"event-{event.seq}", role=Role.AGENT, text=str(event.data["text"]), at=event.at)
