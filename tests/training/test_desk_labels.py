from datetime import UTC, date, datetime

from desk.access.personal_data import PLACEHOLDERS, Held
from desk.inbox import Desk, IncomingTicket
from training.desk_labels import confirmed_examples


def receive(desk: Desk, number: int, body: str, **fields: object) -> str:
    at = datetime(2026, 3, number, 12, tzinfo=UTC)
    return desk.receive(IncomingTicket("test", str(number), body, created_at=at, **fields)).ticket_id


def test_confirmed_tickets_become_redacted_examples(desk: Desk) -> None:
    ticket = receive(
        desk,
        1,
        "Hallo, wo bleibt Bestellung 123-4567890-1234567? Rückruf 0171 1234567, ada@example.org. Ada Lovelace",
        subject="Paket von Ada Lovelace",
        customer_name="Ada Lovelace",
        language="de",
        channel="amazon",
    )
    desk.correct_tag(ticket, "tracking_update", "agent:ana")
    (example,) = confirmed_examples(desk)
    assert (example.id, example.reason, example.locale, example.channel) == (
        f"desk-{ticket}",
        "tracking_update",
        "de",
        "amazon",
    )
    assert example.subject == "Paket von [NAME]"
    assert example.body == "Hallo, wo bleibt Bestellung [ORDER_ID]? Rückruf [PHONE], [EMAIL]. [NAME]"


def test_only_what_a_person_confirmed_is_learned_from(desk: Desk) -> None:
    receive(desk, 1, "nobody looked at this one")
    desk.correct_tag(receive(desk, 2, "where is it"), "tracking_update", "agent:ana")
    assert [example.body for example in confirmed_examples(desk)] == ["where is it"]


def test_of_equal_texts_the_newest_label_counts(desk: Desk) -> None:
    old, new = (
        receive(desk, 1, "where is order 111-2222222-3333333"),
        receive(desk, 2, "where is order 999-8888888-7777777"),
    )
    desk.correct_tag(new, "not_received", "agent:ana")
    desk.correct_tag(old, "tracking_update", "agent:ben")
    (example,) = confirmed_examples(desk)
    assert (example.id, example.reason) == (f"desk-{new}", "not_received")


def test_tickets_of_one_owner_share_a_group_that_does_not_name_them(desk: Desk) -> None:
    owners = [
        {"order_id": "123-4567890-1234567"},
        {"order_id": "123-4567890-1234567", "customer_email": "b@x.example"},
        {"customer_email": "Ada@x.example"},
        {"customer_email": "ada@X.example"},
        {},
        {},
    ]
    for number, owner in enumerate(owners, start=1):
        desk.correct_tag(receive(desk, number, f"text of {'abcdef'[number - 1]}", **owner), "thanks", "agent:ana")
    groups = [example.group for example in confirmed_examples(desk)]
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert len(set(groups)) == 4
    assert not any("ada" in group or "4567890" in group for group in groups)


def test_since_leaves_older_tickets_out(desk: Desk) -> None:
    for number in (1, 2, 3):
        desk.correct_tag(receive(desk, number, f"text {'abc'[number - 1]}"), "thanks", "agent:ana")
    assert [example.body for example in confirmed_examples(desk, date(2026, 3, 2))] == ["text b", "text c"]


def test_erased_tickets_teach_nothing(desk: Desk) -> None:
    for number, text in enumerate((PLACEHOLDERS[Held.TEXT], "where is it"), start=1):
        desk.correct_tag(receive(desk, number, text), "tracking_update", "agent:ana")
    assert [example.body for example in confirmed_examples(desk)] == ["where is it"]
