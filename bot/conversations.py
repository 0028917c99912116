"""The chat: start a session, say something, read what was said. Every turn is on disk before it is answered."""

from __future__ import annotations

from dataclasses import replace

from bot.answers import Answers
from bot.decision import Decision, DecisionSettings, starter_decision
from bot.dialogue import Dialogue, Heard, Tagger
from bot.hand_off import make_ticket, words_of
from bot.order_lookup import OrderLookup, holds_orders
from bot.phrases import Phrases, starter_phrases
from bot.reply import Reply, Resources
from bot.session_store import (
    BotError,
    BusySessionError,
    CustomerMessage,
    OpenSession,
    OvertakenError,
    SessionStore,
    StoredTurn,
    replay,
)
from bot.spoken_language import SpokenLanguage, locale_for
from bot.state import Phase, State
from bot.turn import PERSON, SOLVED, Act, Choice, Entry, Role, Said, Started, Turn
from bot.wording import SOURCE, Wording, starter_wording
from classifier.language import language_identifier
from desk.database import Database
from desk.inbox import Desk
from desk.ledger import Event, EventKind
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

    Methods raise `DatabaseError` when the database cannot be used.
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
    ) -> None:
        self._desk = desk
        self._store = SessionStore(database)
        self._wording = wording or starter_wording()
        self._settings = settings or starter_decision()
        self._shop = shop
        self._supported = frozenset(self._wording.locales)
        resources = Resources(
            taxonomy=desk.taxonomy,
            decision=Decision(self._settings, desk.taxonomy),
            answers=Answers(knowledge, settings),
            orders=OrderLookup(orders, shop, self._settings.reply_hours, lambda: holds_orders(database, orders)),
            wording=self._wording,
        )
        language = SpokenLanguage(language_identifier(), self._settings, self._supported)
        self._dialogue = Dialogue(resources, tagger, language, phrases or starter_phrases())

    def start(self, site: str, locale: str | None = None) -> Started:
        """Open a session on ``site`` in the supported language nearest to ``locale`` (BCP 47)."""
        chosen = locale_for(locale, self._supported, self._settings.fallback_locale)
        words = self._wording[chosen]
        greeting = (Said(words.say("greeting", shop=self._shop), f"{SOURCE}:greeting"),)
        state = State(choices=(Choice(words.choices.person, PERSON),))
        session_id, token = self._store.create(site, chosen, state, greeting)
        strings = {name: text.widget.model_dump() for name, text in self._wording.locales.items()}
        return Started(session_id, token, chosen, strings, greeting, state.choices)

    def say(
        self, session_id: str, token: str, text: str, client_id: str | None = None, choice: str | None = None
    ) -> Turn:
        """One customer message in, one turn out. The same ``client_id`` again gives the same turn, without effect.

        Raises `UnknownSessionError`, `WrongTokenError`, `EmptyMessageError`, `MessageTooLongError`, and
        `BusySessionError` when the session's other messages keep overtaking this one.
        """
        if len(text) > MAX_MESSAGE:
            raise MessageTooLongError(f"text: has {len(text):,} characters; the limit is {MAX_MESSAGE:,}. Shorten it")
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
            heard = Heard("" if label_only else shown, pressed.value if pressed else None, _own_words(turns))
            try:
                return self._take_turn(session, turns, message, heard)
            except OvertakenError:
                continue
        raise BusySessionError("several messages arrived at the same time; send this one again")

    def history(self, session_id: str, token: str) -> list[Entry]:
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
        if session.state.phase is Phase.HANDED_OFF:
            turn = self._after_hand_off(session)
            state = replace(session.state, version=version, acknowledged=True)
            self._store.record(session, message, turn, state, outcome="escalated", note=True)
            return turn
        reply = self._dialogue.respond(session.state, session.locale, heard)
        turn = self._turn_of(session, turns, message, reply)
        outcome = _outcome(session.state, heard, turn)
        state = replace(reply.state, version=version)
        self._store.record(session, message, turn, state, outcome=outcome, aside=reply.aside)
        return turn

    def _turn_of(self, session: OpenSession, turns: list[StoredTurn], message: CustomerMessage, reply: Reply) -> Turn:
        messages, ticket_id = reply.messages, None
        if package := reply.hand_off:
            words = self._wording[reply.locale]
            ticket_id = make_ticket(self._desk, session.id, session.site, package, turns, message.text, words)
            messages = words_of(package, ticket_id, self._settings.reply_hours, words)
        return Turn(reply.act, reply.reason, messages, reply.state.choices, reply.locale, ticket_id)

    def _after_hand_off(self, session: OpenSession) -> Turn:
        said: tuple[Said, ...] = ()
        if not session.state.acknowledged:
            text = self._wording[session.locale].say("hand_off_more", ticket=session.ticket_id or "")
            said = (Said(text, f"{SOURCE}:hand_off_more"),)
        return Turn(Act.HAND_OFF, session.state.reason, said, (), session.locale, session.ticket_id)

    def _buttons(self, session: OpenSession) -> tuple[Choice, ...]:
        person = Choice(self._wording[session.locale].choices.person, PERSON)
        return (*session.state.choices, person)


def _own_words(turns: list[StoredTurn]) -> tuple[str, ...]:
    return tuple(turn.text for turn in turns if turn.role is Role.CUSTOMER and not (turn.is_choice or turn.is_aside))


def _outcome(before: State, heard: Heard, turn: Turn) -> str | None:
    """How the conversation stands; a new question opens it again."""
    if turn.act is Act.HAND_OFF:
        return "escalated"
    confirmed = before.phase is Phase.CONFIRM or heard.choice == SOLVED
    return "confirmed" if turn.act is Act.CLOSE and confirmed else None


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
