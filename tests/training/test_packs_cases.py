from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from classifier.encoders import Encoder
from desk.access.personal_data import PLACEHOLDERS, Held
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from desk.ledger import Event, EventKind
from training.packs.anonymity import anonymous
from training.packs.bank import wording
from training.packs.cases import corrections, good_tickets, reopens
from training.packs.choice import most_diverse

START, END = date(2026, 7, 1), date(2026, 10, 1)
AT = datetime(2026, 8, 3, 9, tzinfo=UTC)
LONG = "Where is my parcel? It should have come two days ago and nothing is here."

Tell = Callable[..., str]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    database = open_database(database_url)
    yield Desk(database)
    database.close()


@pytest.fixture
def tell(desk: Desk) -> Tell:
    """Store a ticket tagged tracking_update with what happened to it, and return its id."""
    number = 0

    def store(*facts: tuple[EventKind, dict[str, object]], body: str = LONG, at: datetime = AT, **fields: str) -> str:
        nonlocal number
        number += 1
        tag = {"reason": "tracking_update", "autonomy": "self_service", "confidence": 0.9, "decision": "tagged",
               "language": fields.get("language", "en"), "guard": [], "model": "m"}  # fmt: skip
        told = [(EventKind.RECEIVED, {}), (EventKind.TAGGED, tag), *facts]
        events = [
            Event("", kind, at + timedelta(minutes=10 * place), "agent:Lukas", data)
            for place, (kind, data) in enumerate(told)
        ]
        incoming = IncomingTicket("t", str(number), body, created_at=at, **{"language": "en", **fields})
        return desk.receive_many([(incoming, events)])[0].ticket_id

    return store


RESOLVED = (EventKind.RESOLVED, {})


def test_only_tickets_that_went_well_are_shown(desk, tell):
    good = tell((EventKind.REPLIED, {"text": "It comes today."}), RESOLVED, (EventKind.RATED, {"csat": 5}))
    plain = tell(RESOLVED, at=AT + timedelta(days=1))
    tell()  # open
    tell(RESOLVED, (EventKind.RATED, {"csat": 2}))
    tell(RESOLVED, (EventKind.REOPENED, {}), RESOLVED)
    tell(RESOLVED, language="fr")
    tell(RESOLVED, at=AT - timedelta(days=60))
    tell(RESOLVED, body=PLACEHOLDERS[Held.TEXT])
    tell(RESOLVED, body="?")
    tell(RESOLVED, (EventKind.RETAGGED, {"reason": "damaged_in_transit", "instead_of": "tracking_update"}))
    found = good_tickets(desk, "tracking_update", "en", START, END)
    assert [one.ticket.id for one in found] == [plain, good]
    assert (found[1].answer, found[1].csat, found[0].answer) == ("It comes today.", 5, None)


def test_the_answer_is_the_last_words_of_a_person_never_the_bots(desk, tell):
    tell(
        (EventKind.REPLIED, {"text": "Automatic.", "automatic": True}),
        (EventKind.REPLIED, {"text": "Let me look."}),
        (EventKind.MACRO_SENT, {"macro": "tracking-update", "text": "It is on its way."}),
        (EventKind.REPLIED, {"text": PLACEHOLDERS[Held.TEXT]}),
        RESOLVED,
    )
    found = good_tickets(desk, "tracking_update", "en", START, END)[0]
    assert (found.answer, found.macro, found.people) == ("It is on its way.", "tracking-update", ("Lukas",))


def test_corrections_count_tickets_in_both_directions(desk, tell):
    away = (EventKind.RETAGGED, {"reason": "not_received", "instead_of": "tracking_update"})
    for _ in range(3):
        tell(away)
    tell(away, (EventKind.RETAGGED, {"reason": "tracking_update", "instead_of": "not_received"}))
    tell((EventKind.RETAGGED, {"reason": "thanks", "instead_of": "other"}))
    tell(away, at=AT - timedelta(days=60))
    found = [(one.instead_of, one.reason, one.times) for one in corrections(desk, "tracking_update", START, END)]
    assert found == [("tracking_update", "not_received", 4), ("not_received", "tracking_update", 1)]


def test_reopens_tell_how_many_came_back_and_what_they_said(desk, tell):
    tell(RESOLVED, (EventKind.CUSTOMER_WROTE, {"text": "Still nothing!"}), (EventKind.REOPENED, {}), RESOLVED)
    tell(RESOLVED, (EventKind.REOPENED, {"why": ""}))
    for _ in range(8):
        tell(RESOLVED)
    tell()
    back = reopens(desk, "tracking_update", START, END)
    assert (back.resolved, back.reopened, [one.text for one in back.told]) == (10, 2, ["Still nothing!"])
    assert back.low < 0.2 < back.high


def test_an_empty_desk_has_nothing_to_tell(desk):
    assert good_tickets(desk, "tracking_update", "en", START, END) == []
    assert corrections(desk, "tracking_update", START, END) == []
    assert (back := reopens(desk, "tracking_update", START, END)).resolved == 0
    assert back.told == ()


def test_nothing_leads_back_to_the_customer_or_the_colleague(desk, tell):
    text = (
        "Hello Lukas,\nSandra Shah here (sandra.shah@example.org, 07700 900123), order 203-1234567-7654321 and #10004. "
        "My postcode is SW1A 2AA. Sandra"
    )
    tell(RESOLVED, body=text, customer_name="Sandra Shah", order_id="#10004", customer_email="sandra.shah@example.org")
    one = good_tickets(desk, "tracking_update", "en", START, END)[0]
    for locale in ("en", "fr"):
        words = wording(locale).placeholders
        shown = anonymous(text, "en", one.ticket, (*one.people, "Lukas"), words)
        for secret in ("Sandra", "Shah", "Lukas", "example.org", "900123", "1234567", "10004", "SW1A"):
            assert secret not in shown
        assert f"[{words['ORDER_ID']}]" in shown


def test_names_of_the_ticket_are_taken_out_whatever_the_case_and_never_inside_words():
    words = wording("en").placeholders
    assert anonymous("thanks, ROSE", "en", None, ("Rose",), words) == "thanks, [name]"
    assert anonymous("The rosewood arrived", "en", None, ("Rose",), words) == "The rosewood arrived"


def test_the_chosen_tickets_are_about_different_things(encoder: Encoder):
    themes = {
        "late": ["Where is my parcel, it is late", "My package is late, where is it", "Late parcel, any news?"],
        "404": ["The tracking link shows an error page", "Tracking page says not found", "The link to track is broken"],
        "day": ["Can it come on Saturday?", "I need it by Saturday please", "Is delivery possible on Saturday?"],
    }
    texts = [text for theme in themes.values() for text in theme]
    chosen = most_diverse(texts, texts, 3, encoder, len)
    assert {theme for theme, members in themes.items() if set(members) & set(chosen)} == set(themes)
    assert chosen == most_diverse(texts, texts, 3, encoder, len)


def test_equal_texts_are_chosen_once(encoder: Encoder):
    assert most_diverse([1, 2, 3], ["Hello ", "hello", "Bye"], 5, encoder, float) == [1, 3]
