"""What is frozen, of whom, as known when."""

from datetime import UTC, date, datetime, timedelta

import pytest

from desk.access.personal_data import PLACEHOLDERS, Held
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.intake import customer_wrote
from desk.ledger import EventKind
from training.snapshots import SnapshotError, freeze
from training.snapshots import freezing as why

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = date(2026, 3, 31)


class Inbox:
    """Stores tickets and what was said about them, at chosen times."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.stored = desk, 0

    def ticket(self, body: str, day: int = 0, **fields: object) -> str:
        self.stored += 1
        at = DAY + timedelta(days=day)
        incoming = IncomingTicket("test", str(self.stored), body, created_at=at, **fields)
        return self.desk.receive(incoming).ticket_id

    def tagged(self, ticket: str, reason: str, day: int = 0, confidence: float = 0.7, language: str = "en") -> None:
        data = {"reason": reason, "confidence": confidence, "decision": "undecided", "autonomy": "assisted",
                "language": language, "guard": [], "model": "reasons/1", "secondary": []}  # fmt: skip
        at = DAY + timedelta(days=day, hours=1)
        self.desk.record(ticket, EventKind.TAGGED, actor="model:reasons/1", data=data, at=at)

    def labelled(self, ticket: str, reason: str, day: int = 0, who: str = "agent:ana", confirmed: bool = False) -> None:
        kind = EventKind.TAG_CONFIRMED if confirmed else EventKind.RETAGGED
        at = DAY + timedelta(days=day, hours=2)
        self.desk.record(ticket, kind, actor=who, data={"reason": reason, "autonomy": "assisted"}, at=at)


@pytest.fixture
def inbox(desk: Desk) -> Inbox:
    return Inbox(desk)


def test_a_labelled_ticket_is_frozen_redacted_with_who_and_when_and_what_the_model_had_said(inbox: Inbox) -> None:
    ticket = inbox.ticket(
        "Hallo, wo bleibt Bestellung 123-4567890-1234567? Rückruf 0171 1234567, ada@example.org. Ada Lovelace",
        subject="Paket von Ada Lovelace, Rechnung S-9", customer_name="Ada Lovelace", channel="amazon",
        marketplace="amazon.de", order_id="S-98-XY", customer_email="ada@example.org",
    )  # fmt: skip
    inbox.tagged(ticket, "not_received", confidence=0.41, language="de")
    inbox.labelled(ticket, "tracking_update", day=1)
    snapshot = freeze(inbox.desk, UNTIL, secret=b"key")
    (found,) = snapshot.tickets
    assert (found.id, found.reason, found.locale, found.channel, found.marketplace) == (
        ticket, "tracking_update", "de", "amazon", "amazon.de"
    )  # fmt: skip
    assert found.subject == "Paket von [NAME], Rechnung S-9"
    assert found.body == "Hallo, wo bleibt Bestellung [ORDER_ID]? Rückruf [PHONE], [EMAIL]. [NAME]"
    assert (found.source, found.tagged, found.tagged_probability, found.undecided) == (
        "corrected", "not_received", 0.41, True
    )  # fmt: skip
    assert (found.opened_at, found.labelled_at) == (DAY, DAY + timedelta(days=1, hours=2))
    assert found.labelled_by is not None
    assert "ana" not in found.labelled_by
    assert found.secondary is None
    assert found.example().id == f"desk-{ticket}"
    assert freeze(inbox.desk, UNTIL, secret=b"other").tickets[0].labelled_by != found.labelled_by
    assert (snapshot.first_day, snapshot.last_day) == (DAY.date(), UNTIL)


def test_an_order_id_of_any_shape_that_the_ticket_names_is_redacted(inbox: Inbox) -> None:
    inbox.labelled(inbox.ticket("where is abcd-77x please", order_id="ABCD-77X"), "tracking_update")
    assert freeze(inbox.desk, UNTIL).tickets[0].body == "where is [ORDER_ID] please"


def test_confirmations_corrections_and_labels_without_a_model_are_told_apart(inbox: Inbox) -> None:
    texts = {"yes it is": None, "no it is not": None, "a colleague agreed": None, "nobody had tagged": None}
    for text in texts:
        texts[text] = inbox.ticket(text)
    for text in ("yes it is", "no it is not", "a colleague agreed"):
        inbox.tagged(texts[text], "return_request")
    inbox.labelled(texts["yes it is"], "return_request", confirmed=True)
    inbox.labelled(texts["no it is not"], "refund_status")
    inbox.labelled(texts["a colleague agreed"], "refund_status")
    inbox.labelled(texts["a colleague agreed"], "refund_status", day=1, who="agent:ben", confirmed=True)
    inbox.labelled(texts["nobody had tagged"], "refund_status")
    found = {ticket.body: ticket for ticket in freeze(inbox.desk, UNTIL).tickets}
    assert {text: ticket.source for text, ticket in found.items()} == {
        "yes it is": "confirmed",
        "no it is not": "corrected",
        "a colleague agreed": "corrected",
        "nobody had tagged": "corrected",
    }
    assert found["nobody had tagged"].tagged is None
    assert found["a colleague agreed"].labelled_by != found["no it is not"].labelled_by


def test_what_happened_after_the_last_day_is_not_known(inbox: Inbox) -> None:
    early, late = inbox.ticket("early words"), inbox.ticket("late words", day=40)
    inbox.labelled(early, "tracking_update", day=1)
    inbox.labelled(early, "not_received", day=35, who="agent:ben")
    inbox.labelled(late, "thanks", day=41)
    inbox.labelled(inbox.ticket("labelled too late", day=2), "thanks", day=36)
    (found,) = freeze(inbox.desk, UNTIL).tickets
    assert (found.body, found.reason) == ("early words", "tracking_update")
    later = freeze(inbox.desk, date(2026, 4, 30)).tickets
    assert {t.body: t.reason for t in later} == {
        "early words": "not_received", "late words": "thanks", "labelled too late": "thanks"
    }  # fmt: skip


def test_freezing_the_same_days_again_gives_the_same_hash_whatever_came_later(inbox: Inbox) -> None:
    inbox.labelled(inbox.ticket("first words"), "tracking_update")
    before = freeze(inbox.desk, UNTIL)
    inbox.labelled(inbox.ticket("second words", day=50), "thanks", day=50)
    again = freeze(inbox.desk, UNTIL)
    assert (again.hash, again.id) == (before.hash, before.id)
    assert before.id == f"2026Q1-{before.hash[:12]}"
    assert freeze(inbox.desk, date(2026, 3, 30)).hash != before.hash


def test_later_messages_never_enter_the_text(inbox: Inbox) -> None:
    ticket = inbox.ticket("where is my parcel")
    with inbox.desk.database.session() as session:
        customer_wrote(session, ticket, "now I want a refund", source="m", message_id="1", at=DAY + timedelta(hours=1))
    inbox.desk.reply(ticket, "it is on its way", "agent:ana")
    inbox.labelled(ticket, "tracking_update", day=1)
    (found,) = freeze(inbox.desk, UNTIL).tickets
    assert (found.subject, found.body) == ("", "where is my parcel")


def test_only_tickets_of_the_period_that_a_person_labelled_are_frozen(inbox: Inbox) -> None:
    tagged = inbox.ticket("only a model looked")
    inbox.tagged(tagged, "thanks")
    for number, text in enumerate(("of the first", "of the third", "of the fifth")):
        inbox.labelled(inbox.ticket(text, day=2 * number), "thanks", day=2 * number)
    first, last = date(2026, 3, 3), date(2026, 3, 5)
    assert [t.body for t in freeze(inbox.desk, last, first).tickets] == ["of the third", "of the fifth"]
    with pytest.raises(SnapshotError, match="the first day 2026-03-05 is after the last day 2026-03-03"):
        freeze(inbox.desk, first, last)


def test_of_nearly_equal_texts_the_newest_label_is_kept_and_the_others_are_counted(inbox: Inbox) -> None:
    texts = ["Where is order 111-2222222-3333333?", "where is order 999-8888888-7777777", "WHERE is order 4?!"]
    for day, (text, reason) in enumerate(zip(texts, ("not_received", "thanks", "thanks"), strict=True)):
        inbox.labelled(inbox.ticket(text, day=day), reason, day=day)
    snapshot = freeze(inbox.desk, UNTIL)
    (found,) = snapshot.tickets
    assert (found.reason, found.body) == ("thanks", "WHERE is order 4?!")
    assert snapshot.dropped == {why.REPEATED: 1, why.CONTRADICTED: 1}


def test_one_order_one_customer_and_one_text_are_one_group_that_names_nobody(inbox: Inbox) -> None:
    order, other = {"order_id": "123-4567890-1234567"}, {"order_id": "999-4567890-1234567"}
    rows: list[tuple[str, dict[str, str]]] = [
        ("a", order), ("b", {**order, "customer_email": "b@x.example"}), ("c", {"customer_email": "B@x.example"}),
        ("d", {}), ("e", other), ("the same words", other), ("the same words", {"customer_email": "c@x.example"}),
        ("f", {"customer_email": "c@x.example"}),
    ]  # fmt: skip
    for day, (text, owner) in enumerate(rows):
        inbox.labelled(inbox.ticket(f"{text} stands here", day=day, **owner), "thanks", day=day)
    found = freeze(inbox.desk, UNTIL, secret=b"key").tickets
    group = {ticket.body[0]: ticket.group for ticket in found}
    assert group["a"] == group["b"] == group["c"]
    assert group["e"] == group["t"] == group["f"]
    assert len(set(group.values())) == 3
    assert not any(word in name for name in group.values() for word in ("4567890", "x.example"))
    assert freeze(inbox.desk, date(2026, 3, 2), secret=b"key").tickets[0].group == group["a"]


def test_erased_unknown_and_wordless_tickets_are_left_out_and_told_of(inbox: Inbox) -> None:
    inbox.labelled(inbox.ticket(PLACEHOLDERS[Held.TEXT], subject=PLACEHOLDERS[Held.SUBJECT]), "thanks")
    inbox.labelled(inbox.ticket("a reason of long ago"), "fax_broken")
    inbox.labelled(inbox.ticket("4711"), "thanks")
    inbox.labelled(inbox.ticket("good words"), "thanks")
    snapshot = freeze(inbox.desk, UNTIL)
    assert [ticket.body for ticket in snapshot.tickets] == ["good words"]
    assert snapshot.dropped == {why.ERASED: 1, why.UNKNOWN_REASON: 1, why.NO_WORDS: 1}


def test_an_import_that_names_no_agent_has_no_labeller(inbox: Inbox) -> None:
    inbox.labelled(inbox.ticket("came with its tag"), "thanks", who="import", confirmed=True)
    (found,) = freeze(inbox.desk, UNTIL).tickets
    assert (found.source, found.labelled_by) == ("confirmed", None)


def test_both_databases_freeze_alike(database_url: str) -> None:
    database = open_database(database_url)
    try:
        inbox = Inbox(Desk(database))
        inbox.labelled(inbox.ticket("where is it"), "tracking_update", day=1)
        (found,) = freeze(inbox.desk, UNTIL).tickets
        assert (found.opened_at, found.labelled_at.tzinfo) == (DAY, UTC)
        assert freeze(inbox.desk, date(2026, 3, 1)).tickets == ()
    finally:
        database.close()
