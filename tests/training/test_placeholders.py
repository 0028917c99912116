from datetime import UTC, datetime

from training.emerging.period import AskedTicket
from training.placeholders import without_placeholders


def test_what_was_redacted_or_erased_is_no_word():
    told = without_placeholders("Hello [NAME], order [ORDER_ID] [erased: e-mail 3f] is [not] here")
    assert told.split() == ["Hello", ",", "order", "is", "[not]", "here"]


def test_a_ticket_of_a_period_is_read_without_placeholders_and_shown_with_them():
    ticket = AskedTicket(
        id="T-1", locale="en", channel="mail", subject="", body="Where is the lamp of [NAME]?",
        opened_at=datetime.now(UTC), tagged=None, said=None, undecided=True, corrected=False,
    )  # fmt: skip
    assert "[NAME]" in ticket.text
    assert "[NAME]" not in ticket.words
    assert "lamp" in ticket.words
