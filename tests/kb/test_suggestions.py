import pytest

from classifier.encoders import Encoder
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from kb.macros import load_macros
from kb.policy import PolicyContext
from kb.suggestions import Suggester, policy_context
from kb.usefulness import Usefulness

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


def test_what_is_not_locked_proactive_macros_other_marketplaces_and_other_languages_are_not_offered(
    write_macro, suggester
):
    write_macro("draft", status="draft")
    write_macro("approved", status="approved")
    write_macro("proactive", kind="proactive")
    write_macro("ebay", marketplace="ebay")
    write_macro("german", locale="de")
    write_macro("other", reason="thanks")
    result = suggest(suggester())
    assert result.macros == ()
    assert [hidden.macro_id for hidden in result.hidden] == ["ebay"]
    assert result.why == ("0 of 1 locked macros for tracking_update in 'en' fit this order.",)
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


def test_what_the_order_knows_reaches_the_policy_check(write_macro, suggester):
    facts = {**ORDER, "shipment.tracking": "0612345678", "shipment.delivered_at": "2025-03-06", "item.title": "Lampe"}
    context = policy_context(facts)
    assert (context.order_id, context.fulfilment) == (ORDER["order.id"], "merchant")
    assert "0612345678" in context.not_phones
    assert {"Maria", "Lampe"} <= set(context.other_language)
    assert context.completed_at.date().isoformat() == "2025-03-06"
    write_macro(body="Hello, your tracking number is {{ shipment.tracking }} with {{ shipment.carrier }}.")
    assert suggest(suggester(), facts).macros[0].text


def test_macros_that_fit_equally_well_are_ordered_by_what_they_settled(write_macro, suggester):
    for name in ("a-new", "b-often", "c-rarely"):
        write_macro(name)
    write_macro("d-special", when="{shipment.carrier: dhl}")
    measured = {"b-often": Usefulness(50, 45), "c-rarely": Usefulness(50, 5), "d-special": Usefulness(50, 1)}
    found = suggest(suggester(), measured=measured, k=4).macros
    assert [macro.macro_id for macro in found] == ["d-special", "b-often", "a-new", "c-rarely"]
    assert found[1].why == "for tracking_update; settled 45 of 50 tickets at first contact"
    lucky = measured | {"a-new": Usefulness(1, 1)}
    assert suggest(suggester(), measured=lucky).macros[1].macro_id == "b-often"
