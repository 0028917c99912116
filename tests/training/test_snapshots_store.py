"""Snapshots on disk, and labels that the bot earned."""

import json
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.session_store import CHOICE_PREFIX
from bot.state import State
from bot.turn import SOLVED, Act
from desk.inbox import Desk, IncomingTicket
from desk.ledger import EventKind
from desk.tables import chat_sessions, chat_turns
from training.snapshots import BOT, CONFIRMED, Snapshot, SnapshotError, SnapshotStore, SnapshotTicket, freeze
from training.snapshots import freezing as why

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = date(2026, 3, 31)


def ticket(number: int, **fields: object) -> SnapshotTicket:
    values = {
        "id": f"T-{number}", "reason": "thanks", "locale": "fr", "channel": "amazon", "marketplace": "amazon.fr",
        "subject": "Objet\u2028é", "body": "ligne\nmerci \u0085 bien", "group": "desk-1", "opened_at": AT,
        "source": CONFIRMED, "labelled_by": "agent-1", "labelled_at": AT, "tagged": "thanks",
        "tagged_probability": 0.1 + 0.2, "secondary": ("invoice_request",),
    }  # fmt: skip
    return SnapshotTicket(**{**values, **fields})


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot(AT.date(), UNTIL, AT, (ticket(1), ticket(2, labelled_by=None, secondary=None)), {"why": 3})


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "home" / "snapshots")


def test_what_is_read_is_what_was_frozen_to_the_last_bit(store: SnapshotStore, snapshot: Snapshot) -> None:
    folder = store.write(snapshot)
    assert store.read(snapshot.id) == snapshot
    assert store.ids() == (snapshot.id,)
    assert folder.name == snapshot.id
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert not list(store.folder.glob(".draft*"))


def test_writing_the_same_again_changes_nothing(store: SnapshotStore, snapshot: Snapshot) -> None:
    before = (store.write(snapshot) / "snapshot.json").read_bytes()
    later = Snapshot(snapshot.first_day, snapshot.last_day, AT + timedelta(days=9), snapshot.tickets, {"other": 1})
    assert (store.write(later) / "snapshot.json").read_bytes() == before


def test_a_label_or_a_day_changes_the_hash(snapshot: Snapshot) -> None:
    changed = Snapshot(AT.date(), UNTIL, AT, (ticket(1, reason="other"), snapshot.tickets[1]))
    other_day = Snapshot(AT.date(), UNTIL - timedelta(days=1), AT, snapshot.tickets)
    assert len({snapshot.hash, changed.hash, other_day.hash}) == 3


@pytest.mark.parametrize(
    ("name", "was", "becomes", "told"),
    [
        ("tickets.jsonl", '"thanks"', '"other"', "tickets.jsonl: 2 lines are not the 2 tickets"),
        ("tickets.jsonl", '"source": "confirmed"', '"source": "guessed"', "tickets.jsonl:1: field 'source'"),
        ("tickets.jsonl", '"body"', '"words"', "tickets.jsonl:1: the fields are not"),
        ("tickets.jsonl", '"T-1"', "17", "tickets.jsonl:1: field 'id' must be a text"),
        ("tickets.jsonl", '"T-2"', "{oops", "tickets.jsonl:2: "),
        ("snapshot.json", "{", "", "snapshot.json cannot be read"),
        ("snapshot.json", '"format": 1', '"format": 9', "not a snapshot of format 1"),
        ("snapshot.json", "2026-03-31", "2026-03-32", "snapshot.json: "),
    ],
)
def test_a_changed_file_is_named_with_its_line(
    store: SnapshotStore, snapshot: Snapshot, name: str, was: str, becomes: str, told: str
) -> None:
    path = store.write(snapshot) / name
    text = path.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, becomes), encoding="utf-8")
    with pytest.raises(SnapshotError) as error:
        store.read(snapshot.id)
    assert told in str(error.value)
    assert str(store.folder) in str(error.value)


def test_a_missing_line_is_noticed(store: SnapshotStore, snapshot: Snapshot) -> None:
    path = store.write(snapshot) / "tickets.jsonl"
    path.write_text(path.read_text(encoding="utf-8").split("\n")[0] + "\n", encoding="utf-8")
    with pytest.raises(SnapshotError, match="1 lines are not the 2 tickets that were frozen"):
        store.read(snapshot.id)


@pytest.mark.parametrize("wanted", ["2026Q1-000000000000", "../../etc", ""])
def test_a_snapshot_that_is_not_there_is_told_with_those_that_are(
    store: SnapshotStore, snapshot: Snapshot, wanted: str
) -> None:
    with pytest.raises(SnapshotError, match="freeze one with 'paretodesk snapshot'"):
        store.read(wanted)
    store.write(snapshot)
    with pytest.raises(SnapshotError, match=f"there are {snapshot.id}"):
        store.read(wanted)


def test_a_deleted_snapshot_is_gone(store: SnapshotStore, snapshot: Snapshot) -> None:
    store.write(snapshot)
    store.delete(snapshot.id)
    assert store.ids() == ()


def test_the_card_says_what_is_in_it_and_what_is_not(store: SnapshotStore, snapshot: Snapshot) -> None:
    card = (store.write(snapshot) / "card.md").read_text(encoding="utf-8")
    for line in (
        f"# Data card: snapshot {snapshot.id}",
        "- opened: 2026-03-01 to 2026-03-31 (UTC, both days included)",
        "- labelled by: 1 people",
        "- confirmed: 2 (a person confirmed what the model had said)",
        "- why: 3",
        "| amazon | 2 |",
        "## Known limits",
    ):
        assert line in card
    manifest = json.loads((store.folder / snapshot.id / "snapshot.json").read_text(encoding="utf-8"))
    assert manifest["counts"]["language"] == {"fr": 2}


# -- the bot --------------------------------------------------------------------------------------------------


class Chats:
    """Conversations as the bot stores them."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.number = desk, 0

    def add(self, *turns: tuple[str, str, str | None, str | None, str | None], outcome: str = "confirmed",
            settled: timedelta | None = timedelta(days=8), ticket: str | None = None) -> str:  # fmt: skip
        """``turns`` are (role, text, act, reason, source), a minute apart."""
        self.number += 1
        name = f"C-{self.number}"
        with self.desk.database.session() as session:
            session.execute(chat_sessions.insert().values(
                id=name, site="demo", locale="fr", token_hash="", created_at=AT, outcome=outcome, ticket_id=ticket,
                settled_at=AT + settled if settled else None, state=State(order_id="S-77-A").to_json(),
            ))  # fmt: skip
            for minute, (role, text, act, reason, source) in enumerate(turns):
                session.execute(chat_turns.insert().values(
                    session_id=name, role=role, text=text, act=act, reason=reason, source=source,
                    at=AT + timedelta(minutes=minute),
                ))  # fmt: skip
        return name


def answered(text: str, reason: str = "return_request") -> list[tuple[str, str, str | None, str | None, str | None]]:
    return [
        ("customer", text, None, None, None),
        ("bot", "Voici comment faire.", Act.ANSWER.value, reason, "article:returns"),
        ("customer", "Oui", None, None, f"{CHOICE_PREFIX}{SOLVED}"),
        ("bot", "Parfait.", Act.CLOSE.value, reason, "wording:close_solved"),
    ]


@pytest.fixture
def chats(desk: Desk) -> Chats:
    return Chats(desk)


def test_a_conversation_that_a_customer_confirmed_is_a_label_of_the_bot(chats: Chats) -> None:
    name = chats.add(*answered("Comment renvoyer la commande S-77-A ?"))
    (found,) = freeze(chats.desk, UNTIL).tickets
    assert (found.id, found.reason, found.source, found.labelled_by) == (name, "return_request", BOT, None)
    assert (found.locale, found.channel, found.body) == ("fr", "chat", "Comment renvoyer la commande [ORDER_ID] ?")
    assert not found.by_person


def test_other_endings_are_no_labels(chats: Chats) -> None:
    passed_on = chats.desk.receive(IncomingTicket("chat", "C-1", "je veux une personne", created_at=AT)).ticket_id
    chats.add(*answered("silence"), outcome="silent")
    chats.add(*answered("came back"), outcome="came_back")
    chats.add(*answered("not final yet"), settled=None)
    chats.add(*answered("final after the last day"), settled=timedelta(days=40))
    chats.add(*answered("passed on"), ticket=passed_on)
    chats.add(*answered("one thing"), *answered("another", "invoice_request"))
    assert freeze(chats.desk, UNTIL).tickets == ()


def test_a_person_wins_over_the_bot(chats: Chats) -> None:
    chats.add(*answered("Comment renvoyer ?"))
    ticket = chats.desk.receive(IncomingTicket("t", "1", "comment RENVOYER", created_at=AT)).ticket_id
    early = AT - timedelta(days=1)
    chats.desk.record(ticket, EventKind.RETAGGED, actor="agent:ana", data={"reason": "exchange_request"}, at=early)
    snapshot = freeze(chats.desk, UNTIL)
    assert [(t.reason, t.source) for t in snapshot.tickets] == [("exchange_request", "corrected")]
    assert snapshot.dropped == {why.OVERRULED: 1}
    with chats.desk.database.session() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(chat_sessions)) == 1
