import pytest

from classifier.encoders import Encoder
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from kb.macros import load_macros
from kb.policy import PolicyContext
from kb.suggestions import Suggester

ORDER = {
    "order.id": "123-1234567-1234567",
    "buyer.name": "Maria",
    "shipment.carrier": "DHL",
    "shipment.status": "in_transit",
    "order.fulfilment": "merchant",
}


@pytest.fixture
def suggester(write_macro, tmp_path):
    def build() -> Suggester:
        return Suggester(load_macros(tmp_path / "macros"))

    return build


def suggest(suggester: Suggester, facts=ORDER, locale="en", marketplace="amazon", **options):
    return suggester.suggest("where is it", "tracking_update", facts, locale, marketplace, **options)


def test_a_macro_that_fits_is_rendered_for_the_order(write_macro, suggester):
    write_macro()
    [macro] = suggest(suggester()).macros
    assert macro.text == "Hello Maria,\n\nyour order 123-1234567-1234567 is with DHL."
    assert macro.missing == ()
    assert macro.version == 1


def test_missing_facts_are_listed_and_there_is_no_text(write_macro, suggester):
    write_macro()
    [macro] = suggest(suggester(), {"order.id": "123-1234567-1234567"}).macros
    assert macro.text is None
    assert macro.missing == ("buyer.name", "shipment.carrier")


def test_the_most_specific_macro_that_can_be_sent_comes_first(write_macro, suggester):
    write_macro("a-general")
    write_macro("b-moving", when="{shipment.state: shipped}")
    write_macro("c-incomplete", when="{shipment.state: shipped, shipment.carrier: dhl}", body="{{ shipment.eta }}")
    write_macro("d-waiting", when="{shipment.state: not_shipped}")
    write_macro("e-claimed", when="{claim.id: 7}")
    result = suggest(suggester())
    assert [macro.macro_id for macro in result.macros] == ["b-moving", "a-general", "c-incomplete"]
    assert result.macros[0].why == "for tracking_update where shipment.state is shipped"
    hidden = {item.macro_id: item.why for item in result.hidden}
    assert hidden["d-waiting"] == "its condition on shipment.state is not met"
    assert hidden["e-claimed"] == "its condition on claim.id is not met"
    assert len(suggest(suggester(), k=1).macros) == 1


def test_text_that_breaks_a_blocking_rule_is_hidden_and_says_why(write_macro, suggester):
    write_macro()
    result = suggest(suggester(), {**ORDER, "buyer.name": "see www.evil-shop.com"})
    assert result.macros == ()
    [hidden] = result.hidden
    assert "R02" in hidden.why
    assert hidden.violations[0].blocks


def test_a_warning_is_shown_beside_the_text(write_macro, suggester):
    write_macro(body="Hello, we will refund you today.")
    [macro] = suggest(suggester(), {**ORDER, "order.fulfilment": "amazon"}).macros
    assert [violation.rule for violation in macro.warnings] == ["R27"]
    assert suggest(suggester(), context=PolicyContext()).macros[0].warnings == ()


def test_drafts_proactive_macros_other_marketplaces_and_other_languages_are_not_offered(write_macro, suggester):
    write_macro("draft", status="draft")
    write_macro("proactive", kind="proactive")
    write_macro("ebay", marketplace="ebay")
    write_macro("german", locale="de")
    write_macro("other", reason="thanks")
    result = suggest(suggester())
    assert result.macros == ()
    assert [hidden.macro_id for hidden in result.hidden] == ["ebay"]
    assert result.why == ("0 of 1 approved macros for tracking_update in 'en' fit this order.",)
    assert [m.macro_id for m in suggest(suggester(), marketplace=None).macros] == ["ebay"]


def test_an_undecided_ticket_gets_passages_but_no_macro(write_macro, write_article, tmp_path, encoder: Encoder):
    write_macro()
    write_article(title="Where your parcel is")
    base = KnowledgeBase.load(tmp_path)
    with KnowledgeIndex.open(tmp_path / "index", encoder) as index:
        base.sync(index)
    result = base.suggest("Where is my parcel? I want to track my package.", None, ORDER, "en", "amazon")
    assert result.macros == ()
    assert result.passages[0].passage.article == "track"
    data = base.suggest("Where is my parcel?", "tracking_update", ORDER, "en", "amazon").to_json()
    assert set(data) == {"macros", "passages", "hidden", "why"}
    assert data["macros"][0]["text"].startswith("Hello Maria")
