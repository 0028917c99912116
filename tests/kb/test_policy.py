import datetime as dt
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from classifier.datafile import DataFileError
from classifier.folding import fold
from kb.macros import load_macro
from kb.policy import Attachment, PolicyContext, Severity, check, check_file, check_macro, rule_set
from kb.policy.lexicon import phrase_pattern, starter_lexicons

MESSAGES = yaml.safe_load((Path(__file__).parent / "policy_messages.yaml").read_text(encoding="utf-8"))
VIOLATING = [
    (rule, locale, text)
    for rule, by_locale in MESSAGES["violating"].items()
    for locale, texts in by_locale.items()
    for text in texts
]
INNOCENT = [(locale, text) for locale, texts in MESSAGES["innocent"].items() for text in texts]
UTC = dt.UTC
NOW = dt.datetime(2025, 3, 10, tzinfo=UTC)


def rules_of(text: str, **options: object) -> set[str]:
    return {violation.rule for violation in check(text, **options)}  # type: ignore[arg-type]


@pytest.mark.parametrize(("rule", "locale", "text"), VIOLATING)
def test_a_message_that_breaks_a_rule_is_found(rule, locale, text):
    assert rules_of(text, locale=locale) == {rule}


@pytest.mark.parametrize(("locale", "text"), INNOCENT)
def test_an_innocent_look_alike_passes(locale, text):
    assert [(v.rule, text[slice(*v.span)]) for v in check(text, locale=locale)] == []


def test_all_28_rules_are_there_with_what_to_do():
    rules = rule_set("amazon").rules
    assert [rule.id for rule in rules] == [f"R{number:02}" for number in range(1, 29)]
    assert all(rule.message and rule.remedy and rule.statement for rule in rules)


def test_rules_that_need_history_say_so_and_stay_silent_without_it():
    for rule_id in ("R08", "R09", "R11", "R19"):
        [rule] = [rule for rule in rule_set("amazon").rules if rule.id == rule_id]
        assert "silent" in (rule.note or "")
    text = "Order 123-1234567-1234567: please leave a review, the colour of your lamp was changed by the maker."
    assert rules_of(text, kind="proactive") == set()


def test_context_wakes_the_rules_that_need_it():
    text = "Order 123-1234567-1234567: please leave a review, the colour of your lamp was changed by the maker."
    context = PolicyContext(
        order_id="123-1234567-1234567",
        feedback_requests=1,
        opted_out=True,
        completed_at=NOW - dt.timedelta(days=31),
        sent_at=NOW,
        attachments=(Attachment("flyer.pdf", "advertisement", 10),),
    )
    assert rules_of(text, kind="proactive", context=context) == {"R08", "R09", "R11", "R19"}
    assert rules_of(text, kind="reply", context=context) == {"R19"}
    assert "R09" not in rules_of(text, kind="proactive", context=PolicyContext(opted_out=True, critical=True))


def test_proactive_messages_name_their_order_and_replies_need_not():
    text = "The colour of the lamp that you chose is discontinued; do you want the black one?"
    assert rules_of(text, kind="proactive") == {"R12"}
    assert rules_of(text) == set()
    other = PolicyContext(order_id="999-1234567-1234567")
    assert rules_of("About 123-1234567-1234567: the black lamp is gone.", kind="proactive", context=other) == {
        "R12",
        "R28",
    }


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("Your order 123-1234567-1234567 has been shipped. It should reach you within three days.", "en"),
        ("Bestellung 123-1234567-1234567: Ihr Paket wurde versandt und kommt in drei Tagen.", "de"),
    ],
)
def test_unsolicited_confirmations_are_blocked_only_when_proactive(text, locale):
    assert rules_of(text, kind="proactive", locale=locale) == {"R14"}
    assert rules_of(text, kind="reply", locale=locale) == set()


@pytest.mark.parametrize(
    "text",
    [
        "Hello,\n\n123-1234567-1234567\n\nThank you so much for being our customer. Best regards",
        "Guten Tag,\n123-1234567-1234567\nbei Fragen melden Sie sich gern bei uns.\nViele Grüße",
    ],
)
def test_a_proactive_message_that_only_thanks_is_blocked(text):
    assert "R15" in rules_of(text, kind="proactive")
    assert "R15" not in rules_of(text, kind="reply")


def test_orders_shipped_by_amazon_warn_about_promises_that_are_amazons():
    text = "We will refund you as soon as the lamp is back."
    [violation] = check(text, context=PolicyContext(fulfilment="amazon"))
    assert (violation.rule, violation.severity) == ("R27", Severity.WARN)
    assert rules_of(text, context=PolicyContext(fulfilment="merchant")) == set()
    assert rules_of(text) == set()


def test_known_ids_are_no_phone_numbers_and_inserted_titles_no_foreign_language():
    text = "Call the depot with 030 901820."
    assert rules_of(text) == {"R04"}
    assert rules_of(text, context=PolicyContext(not_phones=("030 901820",))) == set()
    title = "Wasserdichte Lampe für den Garten mit Bewegungsmelder und langem Kabel"
    text = f"Your article:\n{title}\nis with the carrier since yesterday."
    assert rules_of(text, locale="en") == {"R13"}
    assert rules_of(text, locale="en", context=PolicyContext(other_language=(title,))) == set()


@pytest.mark.parametrize(
    "link",
    [
        "https://amazon.com.evil.ru/login",
        "amazon.com.evil.ru/login",
        "www.amazon.com.evil.ru",
        "https://evil.ru?@amazon.com/",
        "https://evil.ru\\@amazon.com/",
        "https://evil.ru#@amazon.com",
        "https://amazon.com:secret@evil.ru/",
        "https://amazon.com'@evil.ru/",
        "https://evil.ru\uff0f.amazon.com/",
        "amazon.com\u3002evil.ru/login",
        "https://sellercentral.amazon.com.tk/ap",
        "https://amazon.tk/ap",
        "https://notamazon.com/ap",
        "http://amazon.com/ap",
    ],
)
def test_a_host_that_only_looks_like_the_marketplaces_is_a_foreign_link(link):
    [found] = [v for v in check(f"You can see your order here: {link} today.", locale="en") if v.rule == "R02"]
    assert found.blocks


@pytest.mark.parametrize(
    "link",
    [
        "https://amazon.com",
        "https://sellercentral.amazon.co.uk:443/ap?x=1#y",
        "**https://www.amazon.de**",
        "HTTPS://AMAZON.COM.MX/orders,",
        "(https://amazon.fr/a)",
        "amazon.es.",
        "https://www.dhl.de/track?id=1@2",
    ],
)
def test_links_to_the_marketplace_and_the_carriers_pass(link):
    assert "R02" not in rules_of(f"You can see your order here: {link} today.", locale="en")


@pytest.mark.parametrize("known", [("3", "12"), ("1234567890",), ("234567",), ("+49 30 1234567",), ("49 30 1234567",)])
def test_an_id_excuses_no_phone_number_that_only_holds_it(known):
    text = "Call us at +49 30 1234567 please."
    assert rules_of(text, locale="en", context=PolicyContext(not_phones=known)) == {"R04"}


def test_a_title_inside_of_another_word_is_no_inserted_title():
    text = "Vielen Dank für Ihre Nachricht, wir prüfen den Fall und melden uns morgen wieder bei Ihnen."
    assert rules_of(text, locale="en") == {"R13"}
    pieces = ("iele", "achrich", "rüfe", "elde", "orge", "iede", "hne")
    assert rules_of(text, locale="en", context=PolicyContext(other_language=pieces)) == {"R13"}


def test_length_counts_the_body_and_not_the_subject():
    text = "Subject: order\n\n" + "word and more. " * 133
    assert rules_of(text, body_start=16, locale="en") == set()
    assert "R25" in rules_of(text + "x" * 20, body_start=16, locale="en")


def test_spans_point_at_the_words_also_behind_accents_and_ligatures():
    text = "Ｃœur ﬁn é e\u0301 : Profitez d'une remise"
    [violation] = [v for v in check(text, locale="fr") if v.rule == "R01"]
    assert text[slice(*violation.span)].endswith("remise")
    assert text[slice(*violation.span)].startswith("Profitez")


def test_invisible_characters_do_not_hide_a_phrase():
    assert rules_of("Contact us on Whats\u200bApp") == {"R26"}


@pytest.mark.parametrize(
    "text",
    [
        "If it has not shown up, I am on oh-one-six-three-two, nine-six-oh, two-one-four.",
        "Mobil null eins fünf zwei, zwei acht acht eins, sieben drei acht sechs.",
        "Estamos en el cincuenta y cinco, cincuenta y cinco, cero uno, veintidós, treinta y tres.",
    ],
)
def test_a_phone_number_in_words_is_a_phone_number(text):
    assert "R04" in rules_of(text)


def test_html_is_allowed_in_an_email_and_nowhere_else():
    text = "<p>Hello, the lamp is with the carrier.</p>"
    assert rules_of(text, locale="en") == {"R25"}
    assert rules_of(text, locale="en", context=PolicyContext(channel="email")) == set()


@pytest.mark.parametrize(
    ("picture", "rules"),
    [
        ('<img src="cid:logo" alt="Logo">', set()),
        ('<a href="https://www.amazon.fr/x"><img src="cid:logo" alt="Logo"></a>', {"R20"}),
        ('<img src="cid:logo" alt="Logo www.nordhaus.de">', {"R02", "R20"}),
        ('<img src="cid:party.jpg" alt="Our team at the Christmas party">', {"R20"}),
        ('<img src="cid:vase.jpg" alt="blue vase">', {"R21"}),
        ('<img src="https://t.nordhaus.io/o.png" width="1" height="1">', {"R21"}),
        ('<img src="http://nordhaus.io/logo.png" alt="Logo">', {"R21"}),
    ],
)
def test_the_only_picture_that_passes_is_a_logo_without_a_link(picture, rules):
    text = f"<p>Hello, the lamp is with the carrier.</p>{picture}"
    assert rules_of(text, locale="en", context=PolicyContext(channel="email")) == rules


@pytest.mark.parametrize(
    ("text", "locale", "rule"),
    [
        ("Merci de nous indiquer si vous avez changé d'avis.", "fr", "R07"),
        ("Su devolución es correcta.", "es", "R24"),
        ("Ci vuole un po' di pazienza.", "it", "R24"),
        ("Wir bitten Sie nicht darum, Ihre Bewertung zu ändern.", "de", "R07"),
        ("Appelez le +33 6 12 34 56 78 avec le code du pays.", "fr", "R01"),
        ("La suscripción se gestiona en Suscríbete y Ahorra.", "es", "R01"),
        ("Utilisez le code de la porte pour entrer.", "fr", "R01"),
    ],
)
def test_phrases_that_only_look_like_a_violation_pass(text, locale, rule):
    assert rule not in rules_of(text, locale=locale)


def test_a_denial_ends_with_its_clause():
    assert rules_of("No problem, we can offer you a discount.") == {"R01"}
    assert rules_of("Do not miss it: we can offer you a discount.") == {"R01"}
    assert rules_of("We cannot change the date. We can offer you a discount.") == {"R01"}


def test_a_marketplace_without_rules_of_its_own_is_held_to_the_strictest():
    assert rule_set("fnac") == rule_set("amazon")
    assert rules_of("Contact us on WhatsApp", marketplace="fnac") == {"R26"}
    assert rules_of("Contact us on WhatsApp", marketplace="../../etc/passwd") == {"R26"}


def test_every_lexicon_has_the_same_lists():
    lists = [set(lexicon.lists) for lexicon in starter_lexicons()]
    assert {lexicon.language for lexicon in starter_lexicons()} == {"en", "fr", "de", "es", "it"}
    assert all(names == lists[0] for names in lists)


def test_phrases_take_alternatives_optional_words_gaps_and_endings():
    pattern = phrase_pattern(["leave|write a? .. review*", "% off"])
    for text in ("leave review", "Write a\nreview", "leave a short honest reviews", "10% off"):
        assert pattern.search(fold(text)), text
    for text in ("leave it. a review", "leave a b c d e f review", "cleave review", "% offer"):
        assert not pattern.search(fold(text)), text


def test_a_message_file_may_start_with_a_subject(tmp_path):
    path = tmp_path / "message.txt"
    path.write_text("Subject: [Important] Order\n\nSchreiben Sie uns auf WhatsApp.\n", encoding="utf-8")
    checked = check_file(path)
    assert checked.blocked
    first, second = checked.to_json()
    assert first == {
        "file": str(path),
        "rule": "R10",
        "severity": "block",
        "span": [9, 20],
        "message": 'The mark "[Important]" is reserved.',
        "remedy": "Remove the mark.",
        "rule_set": "amazon/3",
        "found_by": "rule",
        "probability": None,
    }
    assert second["rule"] == "R26"
    text = path.read_text(encoding="utf-8")
    assert text[slice(*second["span"])] == "Schreiben Sie uns auf WhatsApp"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataFileError, match="no such file"):
        check_file(tmp_path / "gone.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataFileError, match="not UTF-8"):
        check_file(tmp_path / "binary.txt")


def test_a_macro_file_is_checked_filled_with_examples_and_the_span_is_in_its_body(write_macro):
    path = write_macro(body="Hello {{ buyer.name }},\n\norder {{ order.id }} is late. We can offer you a discount.")
    [entry] = check_file(path).to_json()
    assert entry["rule"] == "R01"
    body = load_macro(path).body
    assert "discount" in body[slice(*entry["span"])]
    assert check_macro(load_macro(write_macro("fine"))) == []


@given(
    st.text(max_size=300),
    st.sampled_from(["reply", "proactive"]),
    st.sampled_from(["en", "fr", "de", "xx", None]),
)
def test_any_text_is_checked_and_every_span_lies_inside_it(text, kind, locale):
    for violation in check(text, kind=kind, locale=locale):
        assert 0 <= violation.span[0] <= violation.span[1] <= len(text)


_MARKUP = st.sampled_from(
    ["<img src=x", "<img src=x>", "<a href=x>", "</a>", "<![", "<![CDATA[", "<!", "<!--", "-->", "<?", "</", "&#",
     "]]>", "foo[", "[if", "bar", "<script>", "<textarea>", "![a](b", "://", "@", "amazon.com", "\\", "\n", " ",
     "\x00", ">", "'"]
)  # fmt: skip


@given(st.lists(_MARKUP | st.text(max_size=5), max_size=12).map("".join), st.sampled_from(["email", None]))
@example("<img src=x> <![ foo[ bar", None)
@example("<img src=x> <![foo[ bar", "email")
def test_any_markup_is_checked_and_never_an_error(text, channel):
    for violation in check(text, locale="en", context=PolicyContext(channel=channel)):
        assert 0 <= violation.span[0] <= violation.span[1] <= len(text)


def test_a_picture_behind_an_unknown_marked_section_is_found_where_it_stands():
    text = 'Hello <![foo[ bar <img src="https://x.example/a.png">'
    [found] = [v for v in check(text, locale="en") if v.rule == "R21"]
    assert text[slice(*found.span)].startswith("<img src=")
