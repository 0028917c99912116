"""Order facts are said with sense: Amazon's orders lead to Amazon, and no past day is said as if it were to come."""

import datetime as dt

import pytest

from bot.answers import Answers
from bot.order_lookup import OrderLookup
from desk.order_table import OrderFacts
from kb.knowledge import KnowledgeBase

TODAY = dt.datetime.now(dt.UTC).date()
LOCALES = ("en", "fr", "de", "es", "it")
AMAZON, OWN = "123-4567890-1234567", "PD-40417"
SHIPPED = {"shipment.carrier": "DHL", "shipment.tracking": "JJD000390007882823456", "shipment.status": "in_transit"}


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(KnowledgeBase.load())


@pytest.fixture
def say(answers):
    """The macro that the bot says about an order: its id and text, or whether only people may say one."""
    lookup = OrderLookup(None, "Lumen", lambda _: dt.datetime.now(dt.UTC), lambda: True)

    def told(reason: str, locale: str = "en", order_id: str = AMAZON, **facts: str):
        known = {"buyer.name": "Ada", "order.fulfilment": "merchant"}
        known |= {name.replace("__", "."): value for name, value in facts.items()}
        order = OrderFacts(order_id, known, dt.datetime.now(dt.UTC))
        filled = answers.macro("?", reason, lookup.facts(order, "Assistant", reason), locale)
        return (filled.said.source.rpartition("/")[2], filled.said.text) if filled.said else filled.for_people

    return told


def day(offset: int) -> str:
    return (TODAY + dt.timedelta(days=offset)).isoformat()


def dotted(facts: dict[str, str]) -> dict[str, str]:
    return {name.replace(".", "__"): value for name, value in facts.items()}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    ("reason", "macro"),
    [
        ("tracking_update", "fba-tracking"),
        ("not_received", "fba-not-received"),
        ("return_request", "fba-return-request"),
        ("refund_status", "fba-refund"),
        ("damaged_in_transit", "fba-damaged"),
        ("fba_return", "fba-return"),
    ],
)
def test_orders_that_amazon_shipped_lead_to_amazon_in_every_language(say, locale, reason, macro):
    found, text = say(reason, locale, order__fulfilment="amazon", refund__status="pending", **dotted(SHIPPED))
    assert found == macro
    assert "Amazon" in text
    assert "DHL" not in text


@pytest.mark.parametrize("word", ["FBA", "AFN", "Amazon", "fulfilled by Amazon"])
def test_amazons_fulfilment_is_known_by_the_words_of_exports(say, word):
    assert say("return_request", order__fulfilment=word)[0] == "fba-return-request"


def test_amazon_ships_our_own_shops_orders_too_and_they_stay_ours(say):
    facts = {**SHIPPED, "shipment.eta": day(2)}
    assert say("tracking_update", order_id=OWN, order__fulfilment="amazon", **dotted(facts))[0] == "tracking-update"


def test_a_merchants_order_never_leads_to_amazon(say):
    assert say("refund_status", refund__status="pending")[0] == "refund-pending"


@pytest.mark.parametrize(("eta", "macro"), [(1, "tracking-update"), (0, "tracking-update"), (-1, "tracking-overdue")])
def test_an_expected_day_that_is_over_is_not_said_as_if_it_were_to_come(say, eta, macro):
    for locale in LOCALES:
        found, text = say("tracking_update", locale, **dotted({**SHIPPED, "shipment.eta": day(eta)}))
        assert found == macro
        assert str((TODAY + dt.timedelta(days=eta)).year) in text


def test_without_an_expected_day_nothing_is_promised(say):
    assert say("tracking_update", **dotted(SHIPPED)) is False


@pytest.mark.parametrize("status", ["in_transit", "out_for_delivery", "delivered"])
def test_an_order_that_has_left_can_no_longer_be_cancelled_and_it_is_said(say, status):
    assert say("cancel_order", shipment__status=status)[0] == "cancel-after-shipping"


def test_an_order_that_can_still_be_stopped_goes_to_a_person_who_stops_it(say):
    assert say("cancel_order", shipment__status="label_created") is True


def test_the_end_of_the_return_window_is_computed_from_the_delivery(say):
    ready = {"return.rma": "RMA-1", "return.label": "in_parcel", "shipment.delivered_at": "2026-11-01"}
    macro, text = say("return_request", **dotted(ready))
    assert macro == "return-request"
    assert "December 1, 2026" in text
    stated = say("return_request", **dotted({**ready, "return.window_end": "2026-11-15"}))[1]
    assert "November 15, 2026" in stated


# -- in a conversation -------------------------------------------------------------------------------------


def test_an_order_that_is_named_is_looked_up_and_one_that_is_not_gets_the_article(open_chat, database, with_orders):
    with_orders(database)
    assert open_chat(database).say("How do I return an article?").messages[0].source == "article:en/return#1"
    chat = open_chat(database)
    named = chat.say(f"How do I return an article of order {AMAZON}?")
    assert [said.source for said in named.messages] == ["wording:ask_proof"]
    # no macro of the small content says anything about returns: the article does
    assert chat.say("ada@example.org").messages[0].source == "article:en/return#1"


def test_the_same_words_about_an_order_are_not_said_twice(open_chat, database, with_orders):
    with_orders(database)
    chat = open_chat(database)
    chat.say("Where is my parcel?")
    assert chat.say(f"{AMAZON} ada@example.org").messages[0].source == "macro:en/on-its-way"
    again = chat.say("Where is my parcel?")
    assert again.act == "hand_off"
