import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.entities import by_kind, find_entities

# Published example numbers of the carriers, or numbers whose check digit was worked out by hand.
TRACKING = [
    ("ups", "1Z5R89390357567127", ""),
    ("s10", "RB123456785GB", ""),
    ("usps", "9405511899561468285343", ""),
    ("fedex", "986578788855", "FedEx"),
    ("fedex", "041441760228964", "FedEx"),
    ("dhl", "3318810025", "DHL"),
]
UNCHECKED = [
    ("dhl", "JJD0099999999", ""),
    ("colissimo", "8R12345678901", ""),
    ("evri", "1234567890123456", "Evri"),
    ("dpd", "12345678901234", "DPD"),
    ("gls", "12345678901", "GLS"),
    ("chronopost", "XY12345678901", "Chronopost"),
    ("seur", "1234567890123", "SEUR"),
    ("brt", "123456789012345678", "Bartolini"),
]


def found(text: str, language: str = "en") -> dict[str, list[str]]:
    return by_kind(find_entities(text, language))


def last_digit_off(number: str) -> str:
    position = max(index for index, character in enumerate(number) if character.isdigit())
    return number[:position] + str((int(number[position]) + 1) % 10) + number[position + 1 :]


@pytest.mark.parametrize(("carrier", "number", "name"), TRACKING + UNCHECKED)
def test_a_tracking_number_is_found_with_its_carrier(carrier: str, number: str, name: str) -> None:
    (entity,) = find_entities(f"It went with {name}, number {number}.")
    assert (entity.kind, entity.value, entity.carrier) == ("tracking", number, carrier)


@pytest.mark.parametrize(("carrier", "number", "name"), TRACKING)
def test_one_digit_off_is_no_tracking_number(carrier: str, number: str, name: str) -> None:
    assert "tracking" not in found(f"It went with {name}, number {last_digit_off(number)}.")


def test_a_postal_number_may_carry_the_american_postcode() -> None:
    assert found("420902109405511899561468285343")["tracking"] == ["420902109405511899561468285343"]


@settings(max_examples=200, deadline=None)
@given(st.from_regex(r"[0-9]{10,12}", fullmatch=True))
def test_bare_digits_are_no_tracking_number_without_the_carrier(number: str) -> None:
    assert "tracking" not in found(f"My reference is {number} thank you")


def test_the_carrier_must_stand_nearby() -> None:
    number = "986578788855"
    assert found(f"FedEx says {number}")["tracking"] == [number]
    assert "tracking" not in found(f"FedEx was late. {'Other words follow here. ' * 6}{number}")


@pytest.mark.parametrize(
    "text",
    ["123-4567890-1234567", "(123-4567890-1234567)", "order:123-4567890-1234567.", "n°123-4567890-1234567-merci"],
)
def test_an_amazon_order_is_found_beside_punctuation(text: str) -> None:
    assert found(text)["order_id"] == ["123-4567890-1234567"]


@pytest.mark.parametrize(
    "text", ["1123-4567890-1234567", "123-4567890-12345678", "1-123-4567890-1234567", "123-456789-1234567"]
)
def test_longer_or_shorter_numbers_are_no_amazon_order(text: str) -> None:
    assert "order_id" not in found(text)


def test_orders_of_other_shops_are_found() -> None:
    assert found("ebay 12-34567-89012 and shop #10482")["order_id"] == ["12-34567-89012", "#10482"]


def test_asins_and_books() -> None:
    assert found("Is B08N5WRWNW in stock?")["asin"] == ["B08N5WRWNW"]
    assert "asin" not in found("Is B08N5WRWN or C08N5WRWNW in stock?")
    assert found("the book, ISBN 0306406152")["asin"] == ["0306406152"]
    assert found("book 080442957X")["asin"] == ["080442957X"]
    assert "asin" not in found("the book, ISBN 0306406153")


def test_a_phone_number_that_passes_as_a_book_is_a_phone_number() -> None:
    number = next(f"06123456{end:02}" for end in range(100) if "asin" in found(f"ISBN 06123456{end:02}", "fr"))
    assert found(f"Appelez le {number}", "fr") == {"phone": [number]}


@pytest.mark.parametrize("number", ["DE136695976", "FR40303265045", "IT00743110157", "ESB58378431"])
def test_a_vat_number_is_found_when_its_check_digit_fits(number: str) -> None:
    assert found(f"Our VAT id is {number}, please invoice")["vat_id"] == [number]
    assert "vat_id" not in found(f"Our VAT id is {last_digit_off(number)}, please invoice")


PHONES = [
    ("en", "07700 900123"),
    ("en", "+44 20 7946 0958"),
    ("en", "212-555-0123"),
    ("en", "(212) 555-0123"),
    ("fr", "06 12 34 56 78"),
    ("fr", "06.12.34.56.78"),
    ("fr", "0033 6 12 34 56 78"),
    ("de", "0171 1234567"),
    ("de", "+49 (0)30 1234567"),
    ("es", "612 345 678"),
    ("es", "+34 912 34 56 78"),
    ("it", "333 1234567"),
    ("it", "06 6982 1234"),
]


@pytest.mark.parametrize(("language", "number"), PHONES)
def test_phone_numbers_as_they_are_written_in_each_language(language: str, number: str) -> None:
    assert found(f"Please call {number} today", language) == {"phone": [number]}


@pytest.mark.parametrize(
    "text", ["I ordered 2 on 12.03.2026", "size 42, 100 x 200 cm", "12 345 pieces", "code 48213377"]
)
@pytest.mark.parametrize("language", ["en", "fr", "de", "es", "it"])
def test_other_numbers_are_no_phone_numbers(language: str, text: str) -> None:
    assert "phone" not in found(text, language)


def test_mail_links_money_and_dates() -> None:
    text = "ada@example.org paid £19.99 or 20 € on 2026-11-03 and 03/11/26, see https://shop.example/x?y=1."
    values = found(text)
    assert values["email"] == ["ada@example.org"]
    assert values["money"] == ["£19.99", "20 €"]
    assert values["date"] == ["2026-11-03", "03/11/26"]
    assert values["url"][0].startswith("https://shop.example/x?y=1")


def test_values_are_listed_once_in_order_of_appearance() -> None:
    assert found("B08N5WRWNW, B000000000, B08N5WRWNW")["asin"] == ["B08N5WRWNW", "B000000000"]


PARTS = st.sampled_from(
    [number for _, number, _ in TRACKING + UNCHECKED]
    + [number for _, number in PHONES]
    + [
        "123-4567890-1234567",
        "#123",
        "ada@example.org",
        "www.a.example/1",
        "12.03.2026",
        "€5",
        "UPS",
        "DHL",
        "B08N5WRWNW",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(PARTS, st.text("0123456789 -.,#@€AB", max_size=12)), max_size=8),
    st.sampled_from(["", " ", ", ", "-"]),
    st.sampled_from(["en", "fr", "de", "es", "it", "und"]),
)
def test_entities_never_overlap_and_say_what_stands_there(parts: list[str], glue: str, language: str) -> None:
    text = glue.join(parts)
    entities = find_entities(text, language)
    for before, after in pairwise(entities):
        assert before.end <= after.start
    for entity in entities:
        assert text[entity.start : entity.end].strip() == entity.value.strip()


@pytest.mark.parametrize(
    "text", ["111 " * 250_000, "1" * 1_000_000, "+44 20 7946 0958 " * 60_000, "a@" * 500_000, "FR1" * 300_000]
)
def test_a_megabyte_of_digits_takes_reasonable_time(text: str) -> None:
    start = time.process_time()
    find_entities(text)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("language", "text", "number"),
    [
        ("en", "Where is order 48213 please?", "48213"),
        ("en", "order number is AB-48213", "AB-48213"),
        ("fr", "ma commande n° 48213 n'arrive pas", "48213"),
        ("de", "Meine Bestellnummer lautet 48213.", "48213"),
        ("es", "mi pedido es el 48213", "48213"),
        ("it", "n. ordine 48213", "48213"),
    ],
)
def test_a_number_right_behind_a_word_for_order_is_the_order(language: str, text: str, number: str) -> None:
    assert found(text, language)["order_id"] == [number]


@pytest.mark.parametrize(
    "text", ["in order to pay 5000 pounds", "the order of 2024", "order 2 kettles", "Bestellung 12.03.2026", "48213"]
)
def test_other_numbers_near_an_order_are_none(text: str) -> None:
    assert "order_id" not in found(text)


POSTCODES = [
    ("London NW1 6XE", "NW1 6XE"),
    ("norwich nr2 3qx please", "nr2 3qx"),
    ("Abilene TX 79605", "79605"),
    ("Chicago, IL 60657-4412", "60657-4412"),
    ("my eircode is D15 X4K9", "D15 X4K9"),
    ("12 rue Victor Hugo, 69002 Lyon", "69002"),
    ("27, avenue Leman, B-4000 Liège", "B-4000"),
    ("Québec G1V 2M2", "G1V 2M2"),
    ("Salzachweg 14/3\n5400 Hallein", "5400"),
    ("Dorfstrasse 7, CH-3920 Zermatt", "CH-3920"),
    ("el código postal es 08038", "08038"),
    ("via Garibaldi 18, CAP 20121", "20121"),
    ("piazza garibaldi 9 73100 lecce", "73100"),
]


@pytest.mark.parametrize(("text", "postcode"), POSTCODES)
def test_a_postcode_is_known_by_its_country_and_place(text: str, postcode: str) -> None:
    assert found(text)["postcode"] == [postcode]


@pytest.mark.parametrize(
    "text",
    [
        "Akku mit 12000 mAh und 20000 Umdrehungen",
        "the Galaxy S23 8GB in black",
        "Bosch GSR 12V-35, part 0601",
        "since March 2024 Amazon says no",
        "205/55 R16 91V",
    ],
)
def test_other_numbers_are_no_postcodes(text: str) -> None:
    assert "postcode" not in found(text)


@pytest.mark.parametrize("number", ["GB 980 7806 84", "BE 0428.759.497", "ES A13585625", "ATU13585627"])
def test_a_vat_number_may_be_grouped(number: str) -> None:
    assert found(f"VAT {number}, thanks")["vat_id"] == [number]
