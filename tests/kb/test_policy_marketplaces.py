import json

import pytest
from typer.testing import CliRunner

from kb.policy import Severity, check, marketplaces, rule_set
from service.cli import app

AMAZON = {rule.id for rule in rule_set("amazon").rules}
PHRASES = {
    "R01": ("We offer you a 10% discount.", "We cannot offer a discount on this order."),
    "R02": ("See https://www.myshop.com/returns for details.", "Follow it on https://www.dhl.de/track."),
    "R03": ("Write to help@nordhaus.com", "The e-mail came from the marketplace."),
    "R04": ("Call us at +49 30 901820", "The number of the carrier DHL is +49 228 4333112."),
    "R05": ("You get a gift in exchange for an honest review.", "We never offer a gift in exchange for a review."),
    "R06": ("Please leave us a positive review.", "You can leave a review on the product page."),
    "R07": ("Could you please remove your review?", "Please remove the film from the display."),
    "R13": (
        "Vielen Dank für Ihre Nachricht. Ihr Paket hat heute Morgen unser Lager verlassen.",
        "Your parcel left today.",
    ),
    "R16": (
        "The lamp is out of stock. Please cancel the order.",
        "The item is out of stock. We have cancelled the order.",
    ),
    "R21": ('<img src="http://a.example/p.jpg" alt="vase">', '<img src="cid:logo" alt="Logo">'),
    "R22": ("Click here to unsubscribe.", "Your subscription ends in May."),
    "R23": ("You are an idiot.", "The knife set has six pieces."),
    "R24": ("Did you recieve it?", "Did you receive it?"),
    "R26": ("Contact us on WhatsApp", "We will never contact you on WhatsApp."),
    "R28": ("Hello {{ buyer.name }}", "The bag is marked {A}."),
}


def rules_of(text: str, marketplace: str, **options: object) -> set[str]:
    return {violation.rule for violation in check(text, marketplace=marketplace, locale="en", **options)}  # type: ignore[arg-type]


def test_there_are_rules_for_four_marketplaces_each_with_source_message_and_remedy():
    assert marketplaces() == ("amazon", "ebay", "generic", "walmart")
    for name in marketplaces():
        rules = rule_set(name)
        assert rules.marketplace == name
        assert {rule.id for rule in rules.rules} <= AMAZON
        assert all(rule.message and rule.remedy and rule.statement for rule in rules.rules)
        if name != "amazon":
            assert all(rule.source for rule in rules.rules)
            assert not any("Amazon" in rule.message + rule.remedy for rule in rules.rules)


@pytest.mark.parametrize("marketplace", ["ebay", "walmart", "generic"])
def test_every_rule_of_a_smaller_set_finds_a_violation_and_passes_a_look_alike(marketplace):
    for rule in rule_set(marketplace).rules:
        if rule.id in PHRASES:
            bad, good = PHRASES[rule.id]
            assert rule.id in rules_of(bad, marketplace), (rule.id, bad)
            assert rule.id not in rules_of(good, marketplace), (rule.id, good)


def test_walmart_needs_no_shipping_confirmation_but_answers_a_question_about_it():
    text = "Your order has been shipped."
    assert "R14" in rules_of(text, "walmart", kind="proactive")
    assert "R14" not in rules_of(text, "walmart", kind="reply")


def test_each_marketplace_allows_links_to_itself():
    assert rules_of("See https://www.ebay.com/mye/myebay", "ebay") == set()
    assert rules_of("See https://www.walmart.com/orders", "walmart") == set()
    assert rules_of("See https://www.ebay.com/mye/myebay", "walmart") == {"R02"}
    assert rules_of("See https://www.amazon.de/orders", "ebay") == {"R02"}


def test_ebay_only_warns_where_a_revision_of_feedback_is_asked_for():
    [violation] = check("Could you please remove your review?", marketplace="ebay", locale="en")
    assert (violation.rule, violation.severity) == ("R07", Severity.WARN)


def test_the_result_names_the_rule_set_that_judged(tmp_path):
    path = tmp_path / "message.txt"
    path.write_text("Contact us on WhatsApp\n", encoding="utf-8")
    for marketplace, judged_by in (("amazon", "amazon/3"), ("walmart", "walmart/2")):
        done = CliRunner().invoke(
            app, ["macros", "check", str(path), "--marketplace", marketplace, "--locale", "en", "--json"]
        )
        assert done.exit_code == 1
        assert [(row["rule"], row["rule_set"]) for row in json.loads(done.stdout)] == [("R26", judged_by)]


def test_an_unknown_marketplace_is_refused_with_those_that_there_are(tmp_path):
    path = tmp_path / "message.txt"
    path.write_text("Hello\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["macros", "check", str(path), "--marketplace", "fnac"])
    assert done.exit_code == 2
    assert "fnac" in done.output
    assert "walmart" in done.output
