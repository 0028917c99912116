"""The dial of a reason: up by a person on certified evidence, down by anybody or by what customers say."""

from datetime import UTC, datetime, timedelta

import pytest

from bot import Act
from bot.autonomy import Dial, Level, NotOnTheDialError
from bot.autonomy_steps import REVIEWER, StepRefusedError, Turning
from bot.trust import Evidence, at_least, needed, starter_trust
from desk.access.accounts import Accounts
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from desk.tables import chat_sessions, chat_turns

NOW = datetime.now(UTC)
TAGGED = {
    "confidence": 0.95, "decision": "tagged", "autonomy": "assisted", "language": "en", "guard": [], "model": "m-1",
}  # fmt: skip


@pytest.fixture
def everywhere(opened, database_url):
    return opened(database_url)


@pytest.fixture
def dial(everywhere, taxonomy) -> Dial:
    return Dial(everywhere, taxonomy)


@pytest.fixture
def turning(dial) -> Turning:
    return Turning(dial)


@pytest.fixture
def verdicts(everywhere):
    """Tickets that a model tagged with a reason and a person confirmed or corrected, some days ago."""
    desk, stored = Desk(everywhere), 0

    def store(reason: str, right: int = 0, wrong: int = 0, days: float = 3, **fields) -> None:
        nonlocal stored
        at, batch = NOW - timedelta(days=days), []
        for number in range(right + wrong):
            stored += 1
            tagged = Event("", EventKind.TAGGED, at, "model:m-1", {**TAGGED, "reason": reason, **fields})
            verdict = {"reason": reason} if number < right else {"reason": "other", "instead_of": reason}
            kind = EventKind.TAG_CONFIRMED if number < right else EventKind.RETAGGED
            past = [tagged, Event("", kind, at, "agent:anna", verdict)]
            batch.append((IncomingTicket("t", str(stored), "text", created_at=at), past))
        desk.receive_many(batch)

    return store


@pytest.fixture
def answered(everywhere):
    """Conversations in which the bot answered and the customer said whether that helped."""
    stored = 0

    def store(reason: str, helped: int = 0, not_solved: int = 0, days: float = 3) -> None:
        nonlocal stored
        at, sessions, turns = NOW - timedelta(days=days), [], []
        for number in range(helped + not_solved):
            stored += 1
            name = f"C-{stored}"
            pressed = "solved" if number < helped else "not_solved"
            sessions.append({"id": name, "site": "s", "token_hash": "", "state": {"reason": reason}, "created_at": at})
            told = [
                ("customer", None, None),
                ("bot", "answer", "article:en/x#1"),
                ("bot", "answer", "wording:confirm"),
                ("customer", None, f"choice:{pressed}"),
            ]
            turns += [
                {"session_id": name, "role": role, "text": "t", "act": act, "reason": act and reason, "source": source,
                 "at": at}
                for role, act, source in told
            ]  # fmt: skip
        with everywhere.session() as session:
            session.execute(chat_sessions.insert(), sessions)
            session.execute(chat_turns.insert(), turns)

    return store


def test_reasons_start_as_the_taxonomy_says(dial, taxonomy):
    levels = dial.levels()
    assert levels["return_request"] is Level.AUTO
    assert levels["damaged_in_transit"] is Level.SUGGEST
    assert not {"legal_or_ip", "payment_issue", "thanks", "phishing", "other"} & set(levels)
    assert dial.level("no_such_reason") is None


def test_149_clean_outcomes_are_what_a_step_takes():
    settings = starter_trust()
    assert (needed(settings), needed(settings, 1)) == (149, 236)
    assert not Evidence(NOW, right=148).certifies(settings)
    assert Evidence(NOW, right=149).certifies(settings)


def test_a_step_up_needs_evidence_a_person_and_is_logged(dial, turning, verdicts):
    verdicts("damaged_in_transit", right=148)
    with pytest.raises(StepRefusedError, match=r"of 148 confirmed outcomes .* 0 were wrong.* takes 149"):
        turning.up("damaged_in_transit", "Head of Support")
    verdicts("damaged_in_transit", right=1)
    with pytest.raises(StepRefusedError, match="name of the person"):
        turning.up("damaged_in_transit", "bot")
    step = turning.up("damaged_in_transit", "Head of Support", "reviewed with Ben")
    assert (step.level_from, step.level_to, step.actor) == (Level.SUGGEST, Level.DRAFT, "Head of Support")
    assert dial.level("damaged_in_transit") is Level.DRAFT
    [logged] = dial.history("damaged_in_transit")
    assert (logged.why, logged.evidence["n"], logged.evidence["wrong"]) == ("reviewed with Ben", 149, 0)
    with pytest.raises(StepRefusedError, match="of 0 confirmed outcomes"):
        turning.up("damaged_in_transit", "Head of Support")  # each step on evidence of its own


def test_only_what_a_person_said_about_a_sure_tag_is_evidence(turning, verdicts):
    verdicts("wrong_or_missing_item", right=200, decision="undecided")
    verdicts("wrong_or_missing_item", right=200, days=400)
    standing = next(one for one in turning.standings() if one.reason == "wrong_or_missing_item")
    assert standing.overall.n == 0


def test_verdicts_of_people_are_counted_apart_from_what_customers_say(turning, verdicts, answered):
    verdicts("return_request", right=3, wrong=2)
    answered("return_request", helped=4, not_solved=1)
    standing = next(one for one in turning.standings() if one.reason == "return_request")
    found = standing.overall
    assert (found.right, found.wrong, found.helped, found.not_solved) == (3, 2, 4, 1)


@pytest.mark.parametrize("reason", ["legal_or_ip", "thanks", "other", "no_such"])
def test_what_is_not_on_the_dial_cannot_be_turned(turning, reason):
    for turn in (turning.up, turning.down):
        with pytest.raises(NotOnTheDialError):
            turn(reason, "Anna")


def test_a_person_may_lower_at_any_time_and_not_below_the_lowest(dial, turning):
    assert turning.down("return_request", "Anna").level_to is Level.DRAFT
    assert turning.down("return_request", "Anna").level_to is Level.SUGGEST
    with pytest.raises(StepRefusedError, match="lowest"):
        turning.down("return_request", "Anna")
    assert [step.number for step in dial.history("return_request")] == [1, 2]
    with pytest.raises(StepRefusedError, match="highest"):
        turning.up("invoice_request", "Anna")


def test_where_there_are_accounts_the_person_has_one(everywhere, turning):
    Accounts(everywhere).add("ben", "lead", by="test", password="a long enough passphrase")
    with pytest.raises(StepRefusedError, match="no enabled account 'Anna'"):
        turning.down("return_request", "Anna")
    assert turning.down("return_request", "Ben").level_to is Level.DRAFT


def test_wrong_answers_take_a_level_back_once(dial, turning, verdicts):
    verdicts("invoice_request", right=30, wrong=1)  # chance alone explains one
    verdicts("return_request", right=20, wrong=6)
    [(standing, step)] = turning.review(dry_run=True)
    assert (standing.reason, step) == ("return_request", None)
    assert dial.level("return_request") is Level.AUTO
    [(_, step)] = turning.review()
    assert (step.level_to, step.actor) == (Level.DRAFT, REVIEWER)
    assert "6 of 26 outcomes were wrong" in step.why
    assert turning.review() == [], "the same outcomes do not take a second level"


def test_complaints_ratings_and_drift_take_a_level_back(everywhere, turning, answered):
    desk = Desk(everywhere)
    answered("return_request", helped=5, not_solved=15)
    at = NOW - timedelta(days=2)
    for number in range(12):
        past = [
            Event("", EventKind.TAGGED, at, "model:m-1", {**TAGGED, "reason": "gift_options"}),
            Event("", EventKind.RATED, at, "customer", {"csat": 2}),
        ]
        desk.receive_many([(IncomingTicket("r", str(number), "text", created_at=at), past)])
    turned = {standing.reason: standing.against for standing, _ in turning.review(drifted=["availability"])}
    assert set(turned) == {"return_request", "gift_options", "availability"}
    assert "15 of 20 customers" in turned["return_request"][0]
    assert "0 of 12 ratings" in turned["gift_options"][0]
    assert "drift" in turned["availability"][0]


def test_what_lies_further_back_than_the_window_takes_nothing_back(turning, verdicts):
    verdicts("return_request", wrong=20, days=40)
    assert turning.review() == []


def test_bounds_are_exact():
    assert at_least(0, 50, 0.05) == 0
    assert at_least(50, 50, 0.05) == pytest.approx(0.05 ** (1 / 50))


# -- the bot obeys -----------------------------------------------------------------------------------------


def test_the_bot_obeys_the_dial_at_once(open_chat, everywhere, turning):
    asked = "How do I return an article?"
    assert open_chat(everywhere).say(asked).act is Act.ANSWER
    turning.down("return_request", "Anna")
    chat = open_chat(everywhere)
    turn = chat.say(asked)
    assert turn.act is Act.HAND_OFF
    [told] = [event.data for event in chat.desk.events(turn.ticket_id) if event.kind is EventKind.HANDED_OFF]
    assert told["draft"]["source"] == "article:en/return#1", "at 'draft' a person gets what it would have said"


def test_a_reason_that_rose_to_auto_is_answered(open_chat, everywhere, dial, turning, verdicts):
    asked = "The vase arrived broken"
    assert open_chat(everywhere).say(asked).act is Act.HAND_OFF
    verdicts("damaged_in_transit", right=149, days=3)
    turning.up("damaged_in_transit", "Anna", now=NOW - timedelta(days=2))
    verdicts("damaged_in_transit", right=149, days=1)
    turning.up("damaged_in_transit", "Anna")
    assert dial.level("damaged_in_transit") is Level.AUTO
    assert open_chat(everywhere).say(asked).act is Act.ANSWER
