"""Mail becomes tickets, further messages and notes, on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from desk.intake import TAG
from desk.ledger import EventKind, Status
from desk.mail.message import Address
from desk.mail.receiving import MAX_TEXT, Mailbox, Outcome, read_arrival, take_mail
from desk.mail.replies import NotAnswerableError, came_by_mail, queue_reply
from desk.mail.sending import wire_bytes
from desk.tables import jobs, mail_messages, mail_problems, outbox

SAMPLES = Path(__file__).with_name("mail_samples")
MAILBOX = Mailbox("support@shop.example", frozenset({"support@shop.example"}))
SHOP = Address("support@shop.example", "Büro, Lamps")
NOW = datetime.now(UTC)


@pytest.fixture
def receive(database):
    def take(raw, *, at=NOW):
        if isinstance(raw, str):
            raw = (SAMPLES / f"{raw}.eml").read_bytes()
        arrival = read_arrival(raw, arrived_at=at)
        with database.session() as session:
            return take_mail(session, MAILBOX, arrival)

    return take


@pytest.fixture
def answer(database):
    def queue(ticket_id, text="We are on it.", **options):
        with database.session() as session:
            outbox_id = queue_reply(session, ticket_id, text, sender=SHOP, **options)
            return session.execute(sa.select(outbox).where(outbox.c.id == outbox_id)).one()

    return queue


def mail(message_id, text="Where is my parcel?", sender="Tom <tom@web.example>", **headers):
    lines = {"From": sender, "Subject": "My lamp", "Message-ID": f"<{message_id}>"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    return ("".join(f"{name}: {value}\r\n" for name, value in lines.items()) + f"\r\n{text}").encode()


def kinds(desk, ticket_id):
    return [event.kind for event in desk.events(ticket_id)]


def test_an_amazon_customers_mail_is_a_ticket_with_all_that_it_tells(desk, database, receive):
    arrived = NOW - timedelta(minutes=5)
    taken = receive("amazon_de", at=arrived)
    ticket = desk.ticket(taken.ticket_id).ticket
    assert taken.outcome is Outcome.TICKET
    assert (ticket.channel, ticket.marketplace, ticket.language) == ("amazon", "amazon", "de")
    assert (ticket.order_id, ticket.customer_name) == ("302-8123456-7123456", "Sabine Krüger")
    assert ticket.customer_email == "k3v9q2x7w1m5n8+f1c2@marketplace.amazon.de"
    assert ticket.created_at == arrived  # not the sender's own clock
    assert "Um bei Streitfällen" in ticket.body
    with database.session(read_only=True) as session:
        job = session.execute(sa.select(jobs)).one()
    assert (job.kind, job.payload) == (TAG, {"ticket_id": ticket.id})


def test_the_same_mail_again_has_no_effect(desk, receive):
    first = receive("gmail_reply")
    assert receive("gmail_reply").outcome is Outcome.DUPLICATE
    assert kinds(desk, first.ticket_id) == [EventKind.RECEIVED]


def test_mails_that_share_an_id_by_mistake_are_all_taken_in(desk, receive):
    outcomes = [receive(mail("constant@form.example", text)).outcome for text in ("Where is it?", "It broke.")]
    assert outcomes == [Outcome.TICKET, Outcome.TICKET]
    assert desk.coverage().tickets == 2


def test_an_answer_to_our_answer_is_a_further_message_and_opens_the_ticket_again(desk, receive, answer, tag):
    ticket_id = receive(mail("1@web.example")).ticket_id
    sent = answer(ticket_id)
    desk.tag(ticket_id, tag())
    desk.resolve(ticket_id, "agent:anna")
    taken = receive(mail("2@web.example", "Still nothing.", In_Reply_To=f"<{sent.message_id}>"))
    assert taken == (type(taken))(Outcome.FURTHER, ticket_id)
    state = desk.ticket(ticket_id).state
    assert (state.status, state.contacts) == (Status.OPEN, 2)
    wrote = next(event for event in desk.events(ticket_id) if event.kind is EventKind.CUSTOMER_WROTE)
    assert (wrote.data["text"], wrote.data["message_id"]) == ("Still nothing.", "2@web.example")


def test_a_mail_that_arrived_before_our_reply_but_was_read_after_it_still_waits_for_an_answer(desk, receive, tag):
    ticket_id = receive(mail("1@web.example"), at=NOW - timedelta(minutes=9)).ticket_id
    desk.reply(ticket_id, "Done.", "agent:anna")
    desk.tag(ticket_id, tag())
    desk.resolve(ticket_id, "agent:anna")
    receive(mail("2@web.example", "But wait!", References="<1@web.example>"), at=NOW - timedelta(minutes=1))
    state = desk.ticket(ticket_id).state
    assert state.status is Status.OPEN
    assert state.waiting_since is not None


def test_a_relay_address_and_an_order_within_14_days_are_one_matter(receive):
    relay, order = "x1@marketplace.amazon.de", {"Subject": "Bestellung 302-1111111-1111111"}
    first = receive(mail("1@a", sender=relay, **order), at=NOW - timedelta(days=20))
    assert receive(mail("2@a", "b", relay, **order), at=NOW - timedelta(days=10)).ticket_id == first.ticket_id
    assert receive(mail("3@a", "c", relay, **order), at=NOW - timedelta(days=1)).ticket_id == first.ticket_id
    other_order = receive(mail("4@a", "d", relay, Subject="Bestellung 302-2222222-2222222"))
    other_buyer = receive(mail("5@a", "e", "x2@marketplace.amazon.de", **order))
    assert {other_order.outcome, other_buyer.outcome} == {Outcome.TICKET}


def test_long_after_the_last_mail_the_same_order_is_a_new_matter(receive):
    relay, order = "x1@marketplace.amazon.de", {"Subject": "Bestellung 302-1111111-1111111"}
    receive(mail("1@a", sender=relay, **order), at=NOW - timedelta(days=15))
    assert receive(mail("2@a", "b", relay, **order)).outcome is Outcome.TICKET


def test_somebody_elses_mail_on_a_ticket_is_taken_in_and_said(desk, receive, answer):
    ticket_id = receive(mail("1@web.example")).ticket_id
    receive(mail("2@other.example", "I am his wife.", "Ann <ann@other.example>", References="<1@web.example>"))
    notes = [event.data["text"] for event in desk.events(ticket_id) if event.kind is EventKind.NOTED]
    assert notes == ["This message came from ann@other.example; answers still go to tom@web.example."]
    assert answer(ticket_id).recipient == "tom@web.example"


@pytest.mark.parametrize("name", ["out_of_office_de", "bounce_dsn", "delayed_dsn"])
def test_a_machines_mail_on_a_ticket_is_a_note_and_starts_no_clock(desk, database, receive, answer, name):
    ticket_id = receive(mail("1@web.example")).ticket_id
    sent = answer(ticket_id)
    desk.reply(ticket_id, "We are on it.", "agent:anna")
    raw = (SAMPLES / f"{name}.eml").read_bytes().replace(b"t-first@shop.example", sent.message_id.encode())
    taken = receive(raw)
    state = desk.ticket(ticket_id).state
    assert (taken.outcome, taken.ticket_id) == (Outcome.NOTED, ticket_id)
    assert (state.contacts, state.waiting_since) == (1, None)
    with database.session(read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(jobs).where(jobs.c.kind == TAG)) == 1


@pytest.mark.parametrize(("name", "status"), [("bounce_dsn", Status.OPEN), ("delayed_dsn", Status.RESOLVED)])
def test_a_resolved_ticket_whose_answer_did_not_arrive_is_open_again(desk, receive, answer, tag, name, status):
    ticket_id = receive(mail("1@web.example")).ticket_id
    sent = answer(ticket_id)
    desk.tag(ticket_id, tag())
    desk.resolve(ticket_id, "agent:anna")
    receive((SAMPLES / f"{name}.eml").read_bytes().replace(b"t-first@shop.example", sent.message_id.encode()))
    assert desk.ticket(ticket_id).state.status is status


def test_automatic_mail_about_no_ticket_is_set_aside_and_kept_in_the_books(desk, database, receive):
    for name in ("newsletter", "vacation_without_headers", "amazon_relay_out_of_office", "bounce_dsn"):
        assert receive(name).outcome is Outcome.ASIDE
    assert desk.coverage().tickets == 0
    with database.session(read_only=True) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(mail_messages)) == 4


def test_a_marketplaces_notice_is_a_ticket_that_no_mail_answers(desk, receive, answer):
    taken = receive("amazon_notice")
    assert desk.ticket(taken.ticket_id).ticket.order_id == "302-8123456-7123456"
    with pytest.raises(NotAnswerableError, match=r"a notice.*write a note"):
        answer(taken.ticket_id)


def test_what_a_form_sends_in_our_name_is_the_customers(desk, receive, answer):
    ticket_id = receive("contact_form").ticket_id
    ticket = desk.ticket(ticket_id).ticket
    assert (ticket.customer_email, ticket.customer_name) == ("mia@web.example", "Mia Stone")
    assert answer(ticket_id).recipient == "mia@web.example"


def test_our_own_mail_coming_back_is_ignored_and_a_forged_one_is_not(desk, receive, answer):
    ticket_id = receive(mail("1@web.example")).ticket_id
    sent = answer(ticket_id)
    before = kinds(desk, ticket_id)
    assert receive(wire_bytes(sent, NOW)).outcome is Outcome.OWN
    assert kinds(desk, ticket_id) == before
    assert receive(mail(sent.message_id, "I use your id.", "eve@web.example")).outcome is Outcome.TICKET


def test_what_an_agent_wrote_from_another_program_is_a_note(desk, receive):
    ticket_id = receive(mail("1@web.example")).ticket_id
    taken = receive(mail("2@shop.example", "I called him.", "support@shop.example", In_Reply_To="<1@web.example>"))
    assert taken.outcome is Outcome.NOTED
    assert desk.ticket(ticket_id).state.contacts == 1


def test_a_mail_that_cannot_be_read_is_kept_whole_and_shown_to_a_person(desk, database, receive, monkeypatch):
    def stumble(raw, policy):  # as the library's parser did over mail of earlier years
        raise IndexError("string index out of range")

    monkeypatch.setattr("desk.mail.message.message_from_bytes", stumble)
    raw = mail("1@web.example") + b"\x00\xff"
    taken = receive(raw)
    assert (taken.outcome, receive(raw).outcome) == (Outcome.UNREADABLE, Outcome.DUPLICATE)
    assert "mailbox problems --save" in desk.ticket(taken.ticket_id).ticket.body
    with database.session(read_only=True) as session:
        kept = session.execute(sa.select(mail_problems)).one()
    assert (kept.raw, kept.ticket_id) == (raw, taken.ticket_id)


def test_a_mail_without_text_or_sender_is_a_ticket_that_names_what_came(desk, receive, answer):
    photo = receive("no_text_only_photo").ticket_id
    assert desk.ticket(photo).ticket.body == "(no text)"
    note = next(event for event in desk.events(photo) if event.kind is EventKind.NOTED)
    assert "etc_passwd.jpg (image/jpeg, 10 bytes)" in note.data["text"]
    nobody = receive("no_headers_at_all").ticket_id
    assert desk.ticket(nobody).ticket.customer_email is None
    with pytest.raises(NotAnswerableError):
        answer(nobody)


def test_of_a_huge_mail_the_beginning_is_the_ticket_and_it_says_so(desk, receive):
    ticket_id = receive(mail("1@web.example", "Where is my parcel? 📦 " * 100_000)).ticket_id
    assert len(desk.ticket(ticket_id).ticket.body) == MAX_TEXT
    assert any("2,200,000 characters" in str(event.data.get("text")) for event in desk.events(ticket_id))


def test_an_answer_carries_the_thread(receive, answer):
    ticket_id = receive("gmail_reply").ticket_id
    row = answer(ticket_id, automatic=True)
    sent = wire_bytes(row, NOW).decode().split("\r\n\r\n")[0].split("\r\n")
    assert row.subject == "Re: Your lamp"
    assert "In-Reply-To: <CAF=gm1@mail.gmail.com>" in sent
    assert "References: <root@mail.gmail.com> <t-first@shop.example> <CAF=gm1@mail.gmail.com>" in sent
    assert "Auto-Submitted: auto-replied" in sent
    assert not any(line.startswith("Content-Type: text/html") for line in sent)


def test_an_answer_to_a_marketplace_keeps_its_subject_and_its_long_ids_in_one_piece(receive, answer):
    row = answer(receive("amazon_uk").ticket_id)
    assert row.subject == "Inquiry from Amazon customer James Holt (Order: 203-4445556-6667778)"
    head = wire_bytes(row, NOW).decode()
    assert f"In-Reply-To: <{row.in_reply_to}>\r\n" in head
    assert len(row.in_reply_to) > 70
    assert "Auto-Submitted" not in head


def test_a_line_break_in_what_came_is_no_header_in_what_goes(receive, answer):
    head = wire_bytes(answer(receive("header_injection").ticket_id), NOW).decode().split("\r\n\r\n")[0]
    assert not any(line.lower().startswith("bcc") for line in head.split("\r\n"))
    assert "To: eve@web.example" in head


def test_only_tickets_that_came_by_mail_are_answered_by_mail(database, desk, receive, incoming):
    by_mail, by_api = receive(mail("1@web.example")).ticket_id, desk.receive(incoming()).ticket_id
    with database.session(read_only=True) as session:
        assert (came_by_mail(session, by_mail), came_by_mail(session, by_api)) == (True, False)
