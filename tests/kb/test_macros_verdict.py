import pytest

from kb.content import ANY_MARKETPLACE, known_marketplaces
from kb.macro_verdict import Verdict, judge, rules_for
from kb.macros import load_macros
from kb.policy import rule_set


@pytest.fixture
def macro(write_macro, tmp_path):
    def load(**fields):
        write_macro(**fields)
        return load_macros(tmp_path / "macros")[-1]

    return load


def test_a_macro_for_any_marketplace_is_judged_by_the_rules_of_all(macro):
    judged = {(found.rules, found.version) for found in rules_for(macro())}
    sets = [rule_set(name) for name in known_marketplaces() - {ANY_MARKETPLACE}]
    assert judged == {(found.marketplace, found.version) for found in sets}
    assert ("amazon", rule_set("amazon").version) in judged


def test_a_macro_of_one_marketplace_is_judged_by_its_rules_only(macro):
    assert [found.rules for found in rules_for(macro(marketplace="amazon"))] == ["amazon"]


def test_a_blocking_rule_fails_the_check_and_names_the_words(macro):
    verdict = judge(macro(marketplace="amazon", body="Leave a review and we send you a voucher of 10 EUR."))
    assert not verdict.passed
    found = next(found for found in verdict.broken if found.rule == "R05")
    assert found.blocks
    assert found.remedy
    assert "voucher" in found.text


def test_every_plural_form_is_judged_not_only_that_of_the_example(macro):
    forms = "{{ evidence.photos | one: # photo, leave a review and get a voucher | other: # photos }}"
    verdict = judge(macro(marketplace="amazon", body=f"Thank you for sending {forms} of the damage."))
    assert "R05" in {found.rule for found in verdict.broken}
    harmless = macro(marketplace="amazon", body="Thank you for {{ evidence.photos | one: # photo | other: # photos }}.")
    assert judge(harmless).passed


def test_a_verdict_survives_storage(macro):
    verdict = judge(macro(body="Write to help@example.com"))
    assert verdict.broken
    assert Verdict.from_json(verdict.to_json()) == verdict
