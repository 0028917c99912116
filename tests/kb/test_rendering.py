import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from classifier.taxonomy import starter_taxonomy
from kb.placeholders import FactType, starter_vocabulary
from kb.rendering import Missing, Rendered, UnusableFactError, fact_words, render_body

VOCABULARY = starter_vocabulary()
LOCALES = starter_taxonomy().locales
NAMES = sorted(VOCABULARY.placeholders)
EXAMPLES = {name: placeholder.example for name, placeholder in VOCABULARY.placeholders.items()}


def words(name: str, value: object, locale: str = "en") -> str:
    return fact_words(value, VOCABULARY[name], locale)


def text_of(body: str, facts: dict[str, object], locale: str = "en") -> str:
    result = render_body(body, facts, locale, VOCABULARY)
    assert isinstance(result, Rendered), result
    return result.text


def test_every_fact_that_a_reason_needs_can_be_named_in_a_macro():
    needed = {fact for reason in starter_taxonomy() for fact in reason.order_facts}
    assert needed <= set(VOCABULARY.placeholders)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_example_fact_is_worded_in_every_locale(locale):
    for name in NAMES:
        assert words(name, EXAMPLES[name], locale)


@pytest.mark.parametrize("name", [n for n in NAMES if VOCABULARY[n].type is FactType.ENUM])
def test_every_status_is_worded_in_every_locale(name):
    for key, wording in VOCABULARY[name].words.items():
        assert set(wording) == set(LOCALES), key


def test_dates_money_numbers_and_countries_follow_the_locale():
    assert words("shipment.eta", "2025-03-07T23:30:00+00:00", "de") == "7. März 2025"
    assert words("shipment.eta", dt.date(2025, 3, 7), "fr") == "7 mars 2025"
    assert words("refund.amount", "1234.5 EUR", "de") == "1.234,50 €"
    assert words("refund.amount", {"amount": Decimal("12.90"), "currency": "EUR"}, "en") == "€12.90"
    assert words("item.stock", 0, "it") == "0"
    assert words("item.stock", "12000", "de") == "12.000"
    assert words("order.country", "de", "es") == "Alemania"
    assert words("item.attributes", ["red", "2 m"], "fr") == "red et 2 m"
    assert words("shipment.status", "in_transit", "fr") == "en cours d'acheminement"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shipment.eta", "next week"),
        ("shipment.eta", "2025-13-01"),
        ("shipment.eta", 20250307),
        ("refund.amount", "12.90"),
        ("refund.amount", 12.9),
        ("refund.amount", "12,90 EUR"),
        ("refund.amount", "12 XQQ"),
        ("refund.amount", "NaN EUR"),
        ("item.stock", "many"),
        ("item.stock", True),
        ("item.stock", 1.5),
        ("item.stock", "Infinity"),
        ("shipment.status", "on_the_moon"),
        ("order.id", "https://x.example/?a=1&b=2"),
        ("order.id", "1" * 300),
        ("order.id", "1\n2"),
        ("item.asin", "B0123456789"),
        ("buyer.name", ["a", "b"]),
    ],
)
def test_a_value_that_does_not_fit_its_type_blocks_the_macro_and_says_why(name, value):
    with pytest.raises(UnusableFactError):
        words(name, value)
    result = render_body(f"x {{{{ {name} }}}}", {name: value}, "en", VOCABULARY)
    assert isinstance(result, Missing)
    assert result.facts == (name,)
    assert str(value) not in result.unusable[name]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "  ",
        "\u200b",
        "\n\t",
        "\u3164",
        "\u2800 \u115f",
        "\u0301",
        "-",
        "\u2014",
        "N/A",
        " null ",
        "None",
        float("nan"),
    ],
)
def test_a_blank_fact_is_missing(value):
    result = render_body("{{ buyer.name }} {{ order.id }} {{ buyer.name }}", {"buyer.name": value}, "en", VOCABULARY)
    assert result == Missing(("buyer.name", "order.id"), {})


def test_a_value_is_never_expanded_and_stays_on_its_line():
    facts = {"buyer.name": "{{ order.id }}\r\nSubject: x\u202e\x00", "order.id": "123-1234567-1234567"}
    assert text_of("Hi {{ buyer.name }}!", facts) == "Hi (( order.id )) Subject: x!"


@pytest.mark.parametrize("value", ["1e999999999", "-1e2000000", "1e-999999999"])
def test_a_number_of_a_billion_digits_is_refused_at_once(value):
    with pytest.raises(UnusableFactError):
        words("evidence.photos", value)


def test_long_text_is_shortened_at_a_word_and_identifiers_never_are():
    shown = words("item.title", "lamp " * 100)
    assert len(shown) <= 120
    assert shown.endswith("lamp…")


def test_the_state_of_a_shipment_follows_from_its_status_unless_stated():
    assert text_of("{{ shipment.state }}", {"shipment.status": "label_created"}) == "not shipped yet"
    facts = {"shipment.status": "label_created", "shipment.state": "shipped"}
    assert text_of("{{ shipment.state }}", facts) == "shipped"


def test_positions_of_the_text_lead_back_to_the_body():
    body = "a {{ order.id }} b {{ item.stock }} c"
    result = render_body(body, {"order.id": "123-1234567-1234567", "item.stock": 5}, "en", VOCABULARY)
    assert isinstance(result, Rendered)
    assert result.text == "a 123-1234567-1234567 b 5 c"
    assert body[result.in_body(result.text.index("b"))] == "b"
    assert body[result.in_body(result.text.index("c"))] == "c"
    assert result.in_body(result.text.index("1234567")) == body.index("{{ order.id")


@pytest.mark.parametrize(
    ("locale", "count", "said"),
    [
        ("en", 0, "0 photos"),
        ("en", 1, "1 photo"),
        ("en", 1200, "1,200 photos"),
        ("fr", 0, "0 photo"),
        ("fr", "1", "1 photo"),
        ("fr", 2, "2 photos"),
        ("fr", 1_000_000, "1\u202f000\u202f000 photos"),
        ("de", 1200, "1.200 photos"),
        ("es", -1, "-1 photo"),
    ],
)
def test_a_number_chooses_the_words_of_its_plural_form(locale, count, said):
    body = "{{ evidence.photos | one: # photo | other: # photos }}"
    assert text_of(body, {"evidence.photos": count}, locale) == said.replace("\u202f", " ")


def test_a_number_that_is_missing_or_none_has_no_words():
    body = "{{ evidence.photos | one: # photo | other: # photos }}"
    assert render_body(body, {}, "en", VOCABULARY) == Missing(("evidence.photos",), {})
    assert isinstance(render_body(body, {"evidence.photos": "some"}, "en", VOCABULARY), Missing)


@pytest.mark.parametrize(("day", "window"), [("2025-04-04", "open"), ("2025-04-05", "open"), ("2025-04-06", "closed")])
def test_the_return_window_is_open_up_to_its_last_day(day, window):
    facts = {"return.window_end": "2025-04-05"}
    known = VOCABULARY.with_derived(facts, dt.date.fromisoformat(day))
    assert known["return.window"] == window
    assert VOCABULARY.with_derived(facts | {"return.window": "open"}, dt.date(2030, 1, 1))["return.window"] == "open"
    assert "return.window" not in VOCABULARY.with_derived({"return.window_end": "soon"})


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["{{", "}}", "{{ order.id }}", "{%", "<b>", "<script>alert(1)</script>", "<img src=x onerror=y>", "](http://x)",
             "[a]", "[a]: x", "`", "```", "\n", "\r\n\r\n", "\u2028", "\x00", "\u202e", "&lt;b&gt;", "Anna", " "]
        ),
        max_size=6,
    ).map("".join),
)  # fmt: skip


@given(value=HOSTILE, locale=st.sampled_from(LOCALES))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_text_of_a_customer_stays_words_on_one_line_whatever_is_in_it(value, locale):
    body = "Start\n\n{{ buyer.name }}: end"
    result = render_body(body, {"buyer.name": value}, locale, VOCABULARY)
    if isinstance(result, Missing):
        assert result.facts == ("buyer.name",)
        return
    [piece] = result.inserted
    said = result.text[piece.start : piece.end]
    assert said.strip() == said != ""
    assert not set("{}<>[]`\r\n\x00\u2028\u202e") & set(said)
    assert result.text == f"Start\n\n{said}: end"
    assert render_body(result.text, {"buyer.name": "x"}, locale, VOCABULARY) == Rendered(result.text)
    tags = [token.type for block in MarkdownIt().parse(said) for token in (block.children or [])]
    assert not {"html_inline", "link_open", "image", "code_inline"} & set(tags)


@given(
    facts=st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(
            st.none(),
            st.text(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.dates(),
            st.datetimes(),
            st.lists(st.text()),
            st.dictionaries(st.text(), st.text()),
            st.sampled_from(["{{", "}}", "{{ order.id }}", "{", "in_transit", "12.90 EUR", "FR"]),
        ),
    ),
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    locale=st.sampled_from(LOCALES),
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_rendering_gives_complete_text_or_what_is_missing_and_never_residue(facts, names, locale):
    body = "".join(f"[{{{{ {name} }}}}]" for name in names)
    result = render_body(body, facts, locale, VOCABULARY)
    if isinstance(result, Missing):
        assert set(result.facts) <= set(names)
        assert result.facts
    else:
        assert "{" not in result.text
        assert "}" not in result.text
        assert "\n" not in result.text
        assert len(result.inserted) == len(names)
        assert all(result.text[piece.start : piece.end].strip() for piece in result.inserted)
