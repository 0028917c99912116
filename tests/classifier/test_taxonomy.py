import pytest
from pydantic import ValidationError

from classifier.taxonomy import OTHER, Autonomy, Taxonomy

GROUPS = {
    Autonomy.SELF_SERVICE: {
        "tracking_update",
        "return_request",
        "refund_status",
        "wrong_size",
        "product_question",
        "availability",
        "cancel_order",
        "invoice_request",
        "gift_options",
        "subscription",
        "account_access",
        "fba_return",
    },
    Autonomy.ASSISTED: {
        "not_received",
        "damaged_in_transit",
        "defective_item",
        "wrong_or_missing_item",
        "exchange_request",
        "change_delivery",
        "price_or_promotion",
        "customs_duties",
        "other",
    },
    Autonomy.HUMAN_ONLY: {
        "payment_issue",
        "negative_feedback",
        "a_to_z_claim",
        "safety_or_counterfeit",
        "legal_or_ip",
    },
    Autonomy.AUTO_CLOSE: {"phishing", "solicitation", "thanks"},
}


def test_there_are_28_reasons_and_other(taxonomy: Taxonomy) -> None:
    assert len(taxonomy.ids) == 29
    assert OTHER in taxonomy
    assert set(taxonomy.ids) == set().union(*GROUPS.values())


@pytest.mark.parametrize("autonomy", list(Autonomy))
def test_who_may_act_on_which_reason(taxonomy: Taxonomy, autonomy: Autonomy) -> None:
    assert taxonomy.with_autonomy(autonomy) == GROUPS[autonomy]


def test_only_a_cancellation_changes_hands_after_shipping(taxonomy: Taxonomy) -> None:
    assert [reason.id for reason in taxonomy if reason.assisted_when] == ["cancel_order"]


def test_every_reason_has_its_own_name_in_five_languages(taxonomy: Taxonomy) -> None:
    assert set(taxonomy.locales) == {"en", "fr", "de", "es", "it"}
    for locale in taxonomy.locales:
        names = [reason.names[locale].strip() for reason in taxonomy]
        assert all(names)
        assert len(set(names)) == len(names)


def test_a_reader_of_another_language_sees_the_english_name(taxonomy: Taxonomy) -> None:
    assert taxonomy["thanks"].name("pt") == taxonomy["thanks"].names["en"]
    assert taxonomy["thanks"].name("de") == taxonomy["thanks"].names["de"]


def test_the_primary_reason_is_safety_before_legal_before_claim_before_the_rest(taxonomy: Taxonomy) -> None:
    order = ["safety_or_counterfeit", "legal_or_ip", "a_to_z_claim"]
    rest = [reason.id for reason in taxonomy if reason.id not in order]
    for reason in rest:
        assert taxonomy.primary([reason, "a_to_z_claim"]) == "a_to_z_claim"
    assert taxonomy.primary(["tracking_update", *reversed(order)]) == "safety_or_counterfeit"
    assert taxonomy.primary(["a_to_z_claim", "legal_or_ip"]) == "legal_or_ip"
    assert {taxonomy[reason].precedence for reason in rest} == {1}


def test_of_equal_reasons_the_first_is_primary(taxonomy: Taxonomy) -> None:
    assert taxonomy.primary(["refund_status", "tracking_update"]) == "refund_status"


def test_an_unknown_reason_is_not_there(taxonomy: Taxonomy) -> None:
    assert "nonsense" not in taxonomy
    with pytest.raises(KeyError):
        taxonomy["nonsense"]


def test_a_taxonomy_without_other_twice_a_reason_or_a_name_missing_is_refused(taxonomy: Taxonomy) -> None:
    data = taxonomy.model_dump()
    without_other = {**data, "reasons": [reason for reason in data["reasons"] if reason["id"] != OTHER]}
    twice = {**data, "reasons": [*data["reasons"], data["reasons"][0]]}
    nameless = {**data, "reasons": [{**data["reasons"][0], "names": {"en": "Parcel"}}, *data["reasons"][1:]]}
    for wrong, words in ((without_other, "'other' is missing"), (twice, "listed twice"), (nameless, "has no name in")):
        with pytest.raises(ValidationError, match=words):
            Taxonomy.model_validate(wrong)
