"""Personal data goes, wherever it stands; structure, times and reasons stay."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.session_store import SessionStore, WrongTokenError
from bot.state import Phase, State
from desk.access import audit
from desk.access.erased_rows import Mention
from desk.access.erasure import ErasureError, apply_retention, erase
from desk.access.personal_data import Held, personal_data
from desk.intake import enqueue
from desk.ledger import EventKind, append, events_of, rebuild_states, state_of
from desk.tables import (
    StoredJson,
    StoredText,
    chat_sessions,
    chat_turns,
    erasure_gate,
    events,
    jobs,
    mail_messages,
    mail_problems,
    metadata,
    orders,
    outbox,
    tickets,
)

EMAIL, ORDER, NAME = "Anna.Berg@Example.com", "026-1234567-1234567", "Anna Berg"
OTHER = "joanna.berg@example.com"
NEEDLES = ("anna.berg@example.com", ORDER, "anna berg", "blue lamp", "sw1a 1aa")
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def filled(database, desk, incoming, tag):
    """Everything that a desk can hold of one person, and of another beside."""
    anna = desk.receive(
        incoming("1", f"My blue lamp is broken. {NAME}, {EMAIL}", subject="blue lamp", customer_email=f" {EMAIL}",
                 customer_name=NAME, order_id=ORDER, asin="B000000001", created_at=NOW)
    ).ticket_id  # fmt: skip
    by_address = desk.receive(incoming(f"mail-{EMAIL}", "blue lamp again", customer_email=EMAIL.lower())).ticket_id
    other = desk.receive(incoming("3", f"My neighbour {EMAIL} got mine, not {OTHER}.", customer_email=OTHER)).ticket_id
    desk.tag(anna, tag())
    desk.correct_tag(anna, "not_received", "agent:ben", why=f"{NAME} said so")
    desk.reply(anna, f"Dear {NAME}, order {ORDER}", "agent:ben")
    desk.record(other, EventKind.NOTED, actor="agent:ben", data={"text": f"see also {ORDER} and x{ORDER}"})
    with database.session() as session:
        append(session, anna, EventKind.CUSTOMER_WROTE, actor="customer",
               data={"text": "my blue lamp!", "source": "test", "message_id": "m2"}, at=NOW)  # fmt: skip
        append(
            session, anna, EventKind.HANDED_OFF, actor="bot", data={"why": "asked", "order_id": ORDER, "new": [NAME]}
        )
        session.execute(orders.insert(), [
            {"order_id": ORDER, "facts": {"ship.to": NAME}, "buyer_email": EMAIL, "postcode": "SW1A 1AA", "as_of": NOW},
            {"order_id": "026-0000000-0000000", "facts": {}, "buyer_email": OTHER, "postcode": None, "as_of": NOW},
        ])  # fmt: skip
        session.execute(mail_messages.insert().values(
            account="a", direction="in", kind="customer", ticket_id=anna, message_id="<1>", references=[],
            address=EMAIL.lower(), reply_to=f"{NAME} <{EMAIL}>", order_id=ORDER, subject="blue lamp",
            attachments=[{"name": "anna berg.pdf"}], at=NOW,
        ))  # fmt: skip
        session.execute(mail_problems.insert().values(
            account="a", digest="d", problem="x", raw=f"From: {EMAIL}\n\nblue lamp".encode(), at=NOW
        ))  # fmt: skip
        session.execute(outbox.insert().values(
            ticket_id=anna, message_id="<2>", sender="shop@example.com", recipient=EMAIL, subject="Re: blue lamp",
            references=[], text=f"Dear {NAME}", automatic=False, state="queued", attempts=0, next_try_at=NOW,
            created_at=NOW,
        ))  # fmt: skip
        queued = {"conversation": 7, "text": f"I am {EMAIL}, where is it?"}
        enqueue(session, "chatwoot", queued, key="message:1")
        enqueue(session, "chatwoot", {"conversation": 8, "text": f"I am not {OTHER}"}, key="message:2")
    store = SessionStore(database)
    chats = [store.create("demo", "en", State(question="blue lamp?", order_id=ORDER, verified=True, version=3), ()),
             store.create("demo", "en", State(question="hello"), ()),
             store.create("demo", "en", State(), ())]  # fmt: skip
    with database.session() as session:
        for (chat, _), text in zip(chats, ("blue lamp", f"I am {EMAIL}", "Ich warte"), strict=True):
            row = {"session_id": chat, "role": "customer", "text": text, "at": NOW}
            session.execute(chat_turns.insert().values(row))
        session.execute(chat_sessions.update().where(chat_sessions.c.id == chats[0][0]).values(ticket_id=anna))
    return {"anna": anna, "by_address": by_address, "other": other, "chats": chats}


def everything(database) -> Iterator[tuple[str, str]]:
    """All that the database holds, as text, by table."""
    with database.session(read_only=True) as session:
        for name, table in metadata.tables.items():
            for row in session.execute(sa.select(table)):
                cells = [cell.decode("latin-1") if isinstance(cell, bytes) else cell for cell in row]
                yield name, json.dumps(cells, default=str, ensure_ascii=False).lower()


def standing(database, needles=NEEDLES) -> list[tuple[str, str]]:
    return [(name, needle) for name, text in everything(database) for needle in needles
            if needle in text.replace(OTHER, "").replace(f"x{ORDER}", "")]  # fmt: skip


def test_every_column_that_can_hold_text_is_judged():
    judged = personal_data()
    assert {*judged.tables} | {*judged.without} == {*metadata.tables}
    texts = (sa.Text, sa.String, sa.LargeBinary, StoredText, StoredJson)
    for name, fields in judged.tables.items():
        columns = {column.name for column in metadata.tables[name].columns if isinstance(column.type, texts)}
        assert columns - {*fields.erase, *fields.keep} == set(), f"{name}: say what happens to these in an erasure"


def test_all_of_a_person_goes_and_nothing_of_anybody_else(database, filled):
    assert {name for name, _ in standing(database)} >= {"tickets", "events", "orders", "chat_turns", "outbox"}
    done = erase(database, email=f" {EMAIL.upper()} ", by="cli:root").to_json()
    assert standing(database) == []
    assert (done["tickets"], done["orders"], done["chat_sessions"], done["mail_problems"]) == (3, 1, 2, 1)
    with database.session(read_only=True) as session:
        other = session.execute(sa.select(tickets).where(tickets.c.id == filled["other"])).one()
        assert OTHER in other.body
        assert other.customer_email == OTHER
        assert "My neighbour [erased: e-mail " in other.body
        assert session.scalars(sa.select(orders.c.order_id)).all() == ["026-0000000-0000000"]
        note = events_of(session, filled["other"])[-1].data["text"]
        assert f"x{ORDER}" in note
        assert "see also [erased: order " in note
        assert session.scalars(sa.select(outbox.c.state)).one() == "failed"


def test_a_message_that_waits_to_be_answered_goes_with_its_writer(database, filled):
    erase(database, email=EMAIL, by="cli:root")
    with database.session(read_only=True) as session:
        found = {row.key: row for row in session.execute(sa.select(jobs).where(jobs.c.kind == "chatwoot"))}
    assert (found["message:1"].state, found["message:1"].problem) == ("dead", "erased")
    assert EMAIL not in json.dumps(found["message:1"].payload)
    assert (found["message:2"].state, found["message:2"].payload["conversation"]) == ("queued", 8)


def test_structure_times_and_reasons_stay(database, filled):
    with database.session(read_only=True) as session:
        before, state = events_of(session, filled["anna"]), state_of(session, filled["anna"])
    erase(database, email=EMAIL, by="cli:root")
    with database.session() as session:
        after = events_of(session, filled["anna"])
        assert state_of(session, filled["anna"]) == state
        rebuild_states(session)
        assert state_of(session, filled["anna"]) == state
        row = session.execute(sa.select(tickets).where(tickets.c.id == filled["anna"])).one()
    assert [(e.seq, e.kind, e.at, e.actor) for e in after] == [(e.seq, e.kind, e.at, e.actor) for e in before]
    assert [{*e.data} for e in after] == [{*e.data} for e in before]
    retagged = next(e.data for e in after if e.kind is EventKind.RETAGGED)
    assert (retagged["reason"], retagged["instead_of"], retagged["why"]) == (
        "not_received", "tracking_update", "[erased: text]",
    )  # fmt: skip
    assert (row.body, row.subject, row.customer_name) == ("[erased: text]", "[erased: subject]", "[erased: name]")
    assert (row.asin, row.created_at, row.channel) == ("B000000001", NOW, "unknown")


def test_who_was_one_person_stays_one_and_two_stay_two(database, filled):
    erase(database, email=EMAIL, by="x")
    erase(database, email=OTHER, by="x")
    with database.session(read_only=True) as session:
        of = dict(session.execute(sa.select(tickets.c.id, tickets.c.customer_email)).all())
    assert of[filled["anna"]] == of[filled["by_address"]] != of[filled["other"]]
    assert of[filled["anna"]].startswith("[erased: e-mail ")


def test_a_chat_is_over_and_its_token_opens_nothing(database, filled):
    erase(database, email=EMAIL, by="x")
    store = SessionStore(database)
    for chat, token in filled["chats"][:2]:
        with pytest.raises(WrongTokenError):
            store.open(chat, token)
    kept, _ = store.open(*filled["chats"][2])
    assert kept.state == State()
    with database.session(read_only=True) as session:
        stored = session.execute(sa.select(chat_sessions).where(chat_sessions.c.id == filled["chats"][0][0])).one()
    assert State.from_json(stored.state) == State(phase=Phase.CLOSED, version=4)
    assert stored.ended_at is not None


def test_by_order_what_hangs_on_the_order_goes(database, filled):
    erase(database, order_id=f" {ORDER} ", by="x")
    assert standing(database, (ORDER, "sw1a 1aa")) == []
    with database.session(read_only=True) as session:
        kept = session.execute(sa.select(tickets.c.body).where(tickets.c.id == filled["by_address"])).scalar_one()
    assert kept == "blue lamp again"


def test_a_rehearsal_counts_the_same_and_changes_nothing(database, filled):
    before = list(everything(database))
    would = erase(database, email=EMAIL, by="x", dry_run=True)
    assert list(everything(database)) == before
    assert would.to_json() == erase(database, email=EMAIL, by="x").to_json()
    again = erase(database, email=EMAIL, by="x")
    assert again.to_json() == {}


def test_the_audit_log_says_that_and_how_much_and_names_nobody(database, filled):
    erase(database, email=EMAIL, by="cli:root")
    entry = audit.entries(database)[0]
    assert (entry.kind, entry.actor, entry.data["by"]) == ("erased", "cli:root", "email")
    assert "orders: 1" in entry.data["rows"]
    assert audit.verify(database).findings == ()
    assert "anna" not in json.dumps(entry.to_json()).lower()


def test_outside_of_an_erasure_events_stay_append_only(database, filled):
    erase(database, email=EMAIL, by="x")
    with database.session(read_only=True) as session:
        assert session.execute(sa.select(erasure_gate)).all() == []
    for statement in (events.update().values(data={}), events.delete()):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.session() as session:
            session.execute(statement)
    for statement in (events.update().values(actor="x"), events.update().values(kind="noted"), events.delete()):

        def gated(session, statement=statement):
            session.execute(erasure_gate.insert().values(id=1))
            session.execute(statement)

        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            database.write(gated)


def test_an_erasure_that_fails_leaves_everything_and_the_gate_closed(database, filled, monkeypatch):
    before = list(everything(database))
    monkeypatch.setattr("desk.access.erasure.record", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        erase(database, email=EMAIL, by="x")
    assert list(everything(database)) == before


def test_two_erasures_at_once_wait_for_each_other(database, filled):
    failures = []

    def work(address):
        try:
            erase(database, email=address, by="x")
        except Exception as error:  # noqa: BLE001  # whatever it is
            failures.append(error)

    threads = [threading.Thread(target=work, args=(address,)) for address in (EMAIL, OTHER, EMAIL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [text for _, text in everything(database) if "@example.com" in text and "shop@" not in text] == []


def test_too_little_or_too_much_is_asked_back(database):
    both = {"email": EMAIL, "order_id": ORDER}
    for asked in ({}, {"email": ""}, {"email": " ", "order_id": " "}, {"email": "anna"}, {"email": "a@b c"}, both):
        with pytest.raises(ErasureError):
            erase(database, by="x", **asked)


def test_an_address_is_found_as_a_whole_only():
    mention = Mention("anna@x.de", Held.EMAIL)
    for text in ("anna@x.de", "(ANNA@X.DE)", "to anna@x.de.", "<mailto:anna@x.de>", {"a": ["anna@x.de"]}):
        assert mention.stands_in(text), text
    for text in ("joanna@x.de", "anna@x.dev", "anna@x.de.example", "j.anna@x.de", "anna@x-de", None, 5):
        assert not mention.stands_in(text), text
    assert not Mention("1234567", Held.ORDER).stands_in("0281234567-1")


def test_retention_erases_what_has_rested_for_so_long_and_nothing_else(database, desk, incoming, filled):
    fresh = desk.receive(incoming("new", "Where is my green jar?", created_at=datetime.now(UTC))).ticket_id
    old = datetime.now(UTC) - timedelta(days=800)
    quiet = desk.receive(incoming("quiet", "an old question", created_at=old)).ticket_id
    would = apply_retention(database, timedelta(days=730), by="x", dry_run=True).to_json()
    done = apply_retention(database, timedelta(days=730), by="cli:root").to_json()
    assert would == done == {"tickets": 1}
    with database.session(read_only=True) as session:
        bodies = dict(session.execute(sa.select(tickets.c.id, tickets.c.body)).all())
    assert bodies[quiet] == "[erased: text]"
    assert "green jar" in bodies[fresh]
    assert "blue lamp" in bodies[filled["anna"]]
    assert audit.entries(database)[0].kind == "retention_applied"
    assert apply_retention(database, timedelta(days=730), by="x").to_json() == {}
    with pytest.raises(ErasureError, match="a day"):
        apply_retention(database, timedelta(hours=5), by="x")
