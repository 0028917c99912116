"""How conversations end, computed from their turns, and stored once that is final."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bot.outcomes import Answered, Outcome, answers_of, ending_of
from bot.session_store import StoredTurn
from bot.settling import endings, settle
from bot.turn import Role
from desk.inbox import Desk, IncomingTicket
from desk.metrics.deflection import ChatScope, chats_behind
from desk.metrics.scope import Window
from desk.tables import chat_sessions, chat_turns

START = datetime(2026, 11, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
ASKED = ("customer", None, None, 0)
ANSWERED = ("bot", "answer", "article:en/return#1", 0)
CONFIRM = ("bot", "answer", "wording:confirm", 0)
SOLVED = ("customer", None, "choice:solved", 1)
GLAD = ("bot", "close", "wording:close_solved", 0)
WELCOME = ("bot", "close", "wording:close_thanks", 0)
CLARIFIED = ("bot", "clarify", "wording:clarify_open", 0)
HANDED = ("bot", "hand_off", "wording:hand_off", 0)
HELPED = (ASKED, ANSWERED, CONFIRM, SOLVED, GLAD)


def turns(*told, reason: str = "return_request") -> list[StoredTurn]:
    """Turns from (role, act, source, minutes since the one before)."""
    at, found = START, []
    for seq, (role, act, source, minutes) in enumerate(told):
        at += timedelta(minutes=minutes)
        found.append(StoredTurn(seq, Role(role), "text", at, None, act, reason if act else None, source))
    return found


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ((), None),
        ((("bot", None, "wording:greeting", 0),), None),
        ((ASKED, WELCOME), None),  # thanks, spam
        ((ASKED, CLARIFIED), Outcome.ABANDONED),
        ((ASKED, ANSWERED, CONFIRM), Outcome.SILENT),
        (HELPED, Outcome.CONFIRMED),
        ((*HELPED, ("customer", None, "aside", 1), WELCOME), Outcome.CONFIRMED),
        ((*HELPED, ASKED, ANSWERED, CONFIRM), Outcome.SILENT),  # a new question, at once
        ((*HELPED, ASKED, CLARIFIED), Outcome.SILENT),
        ((*HELPED, ("customer", None, None, 61), ANSWERED, CONFIRM), Outcome.CAME_BACK),
        ((*HELPED, ("customer", None, None, 61), WELCOME), Outcome.CONFIRMED),  # an hour later: thanks
        ((ASKED, ANSWERED, CONFIRM, ("customer", None, None, 60 * 24 * 6), CLARIFIED), Outcome.CAME_BACK),
        ((ASKED, ANSWERED, CONFIRM, ("customer", None, None, 60 * 24 * 8), CLARIFIED), Outcome.SILENT),
    ],
)
def test_a_conversation_ends_in_one_way(told, outcome):
    assert ending_of(turns(*told), START + 40 * DAY, escalated=False).outcome is outcome
    assert ending_of(turns(*told), START + 40 * DAY, escalated=True).outcome is Outcome.ESCALATED


def test_a_week_must_pass_before_silence_or_a_confirmation_is_final():
    told = turns(*HELPED)
    last = told[-1].at
    assert not ending_of(told, last + 7 * DAY, escalated=False).final
    assert ending_of(told, last + 7 * DAY + timedelta(seconds=1), escalated=False).final


@pytest.mark.parametrize(("days", "back"), [(0.001, True), (7, True), (7.001, False), (-1, False)])
def test_who_writes_elsewhere_within_a_week_came_back(days, back):
    told = turns(*HELPED)
    ending = ending_of(told, START + 40 * DAY, escalated=False, later=[told[-1].at + days * DAY])
    assert ending.outcome is (Outcome.CAME_BACK if back else Outcome.CONFIRMED)


STEPS = st.sampled_from([ASKED, ANSWERED, CONFIRM, SOLVED, GLAD, WELCOME, CLARIFIED, ("customer", None, None, 90)])


@given(st.lists(STEPS, max_size=12), st.integers(0, 30))
def test_what_is_final_stays_as_it_is_and_time_alone_only_makes_final(steps, days):
    told, now = turns(*steps), START + days * DAY
    early, late = (ending_of(told, moment, escalated=False) for moment in (now, now + 60 * DAY))
    assert early.outcome is late.outcome
    assert late.final or not told
    assert not early.final or early == late


def test_answers_are_judged_by_what_was_said_next():
    told = turns(*HELPED, ASKED, ANSWERED, CONFIRM, ("customer", None, "choice:not_solved", 0), HANDED, ASKED)
    assert [answer.helped for answer in answers_of(told)] == [True, False]
    assert answers_of(turns(ASKED, ANSWERED, CONFIRM)) == [Answered("return_request", START, None)]
    changed = turns(ASKED, ANSWERED, CONFIRM, ASKED, CLARIFIED)
    assert [answer.helped for answer in answers_of(changed)] == [None]


# -- stored ------------------------------------------------------------------------------------------------


@pytest.fixture
def store(opened, database_url):
    """A database of both kinds, and what puts a conversation of stated turns into it."""
    database = opened(database_url)
    number = 0

    def put(*told, state: dict | None = None, outcome: str | None = None, after: timedelta = timedelta(0)) -> str:
        nonlocal number
        number += 1
        session_id = f"C-{number}"
        rows = turns(*told)
        with database.session() as session:
            session.execute(
                chat_sessions.insert().values(
                    id=session_id, site="demo", locale="en", token_hash="", state=state or {}, outcome=outcome,
                    created_at=START + after,
                )
            )  # fmt: skip
            for turn in rows:
                session.execute(
                    chat_turns.insert().values(
                        session_id=session_id, role=str(turn.role), text="text", act=turn.act, reason=turn.reason,
                        source=turn.source, at=turn.at + after,
                    )
                )  # fmt: skip
        return session_id

    return database, put


def stored(database) -> dict[str, str | None]:
    with database.session(read_only=True) as session:
        return {row.id: row.outcome for row in session.execute(sa.select(chat_sessions)) if row.settled_at}


def test_outcomes_are_stored_once_they_are_final_and_agree_with_the_report(store):
    database, put = store
    proven = {"verified": True, "order_id": "123-4567890-1234567"}
    expected = {
        put(*HELPED, outcome="confirmed"): "confirmed",
        put(ASKED, ANSWERED, CONFIRM): "silent",
        put(ASKED, CLARIFIED): "abandoned",
        put(ASKED, WELCOME): None,
        put(*HELPED, state=proven, outcome="confirmed"): "came_back",
        put(ASKED, ANSWERED, CONFIRM, state={**proven, "verified": False}): "silent",
    }
    fresh = put(*HELPED, outcome="confirmed", after=20 * DAY)
    order = IncomingTicket(
        "mail", "1", "Still not here", order_id="123-4567890-1234567", created_at=START + timedelta(days=3)
    )
    Desk(database).receive(order)
    now = START + 21 * DAY
    assert settle(database, now) == len(expected)
    assert stored(database) == expected
    assert settle(database, now) == 0
    assert settle(database, now + 8 * DAY) == 1
    assert stored(database)[fresh] == "confirmed"
    window = Window(START.date(), (now + DAY).date())
    reported = {chat.session_id: str(chat.part) for chat in chats_behind(database, ChatScope(window, now=now))}
    assert reported == {one: told for one, told in stored(database).items() if told}


def test_more_conversations_than_fit_a_batch_are_all_settled(store, monkeypatch):
    database, put = store
    monkeypatch.setattr("bot.settling.BATCH", 2)
    for _ in range(5):
        put(ASKED, ANSWERED, CONFIRM)
    assert settle(database, START + 20 * DAY) == 5


def test_a_conversation_that_is_still_young_is_told_but_not_stored(store):
    database, put = store
    name = put(*HELPED)
    ending = endings(database, [name], START + DAY)[name]
    assert (ending.outcome, ending.final) == (Outcome.CONFIRMED, False)
    assert settle(database, START + DAY) == 0
