import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.datafile import DataFileError, load_yaml
from classifier.entities import by_kind, find_entities
from classifier.entity_patterns import EntityPatterns

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
        # The ASIN of a product's address is the one entity inside another.
        assert before.end <= after.start or (before.kind, after.kind) == ("url", "asin")
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


def values(kind: str, text: str, language: str = "en") -> list[str]:
    """What of one kind is found, as it stands in the text."""
    return [entity.value for entity in find_entities(text, language) if entity.kind == kind]


@pytest.mark.parametrize(
    ("text", "value", "normal"),
    [
        ("112 - 4729533 - 0284768 is missing", "112 - 4729533 - 0284768", "112-4729533-0284768"),
        ("306–1097762–1583825", "306–1097762–1583825", "306-1097762-1583825"),
        ("303 7452514 9929303", "303 7452514 9929303", "303-7452514-9929303"),
        ("404/1234567/1234567", "404/1234567/1234567", "404-1234567-1234567"),
        ("408-4057226-\n6082820", "408-4057226-\n6082820", "408-4057226-6082820"),
        ("order 20575832594439345", "20575832594439345", "205-7583259-4439345"),
        ("27 – 16792 – 42342", "27 – 16792 – 42342", "27-16792-42342"),
        ("eBay 27 16792 42342", "27 16792 42342", "27-16792-42342"),
        ("D01-1234567-1234567", "D01-1234567-1234567", "D01-1234567-1234567"),
    ],
)
def test_an_order_id_may_lose_its_hyphens(text: str, value: str, normal: str) -> None:
    assert [(entity.value, entity.normal) for entity in find_entities(text)] == [(value, normal)]


@pytest.mark.parametrize(
    "text",
    [
        "+49 171 1234567 7654321",
        "code 20575832594439345",
        "order 205758325944393456",
        "5 27 16792 42342",
        "case #48213, ticket no. #48213, colour #336699",
    ],
)
def test_other_long_numbers_are_no_order_ids(text: str) -> None:
    assert values("order_id", text) == []


GROUPED_TRACKING = [
    ("s10", "Recommandé RK 921 808 526 FR", "RK 921 808 526 FR"),
    ("s10", "Tracking: SF 5529 2725 8 GB", "SF 5529 2725 8 GB"),
    ("s10", "Tracking: rb123456785gb", "rb123456785gb"),
    ("ups", "1Z 5R8 939 03 5756 7127 sur", "1Z 5R8 939 03 5756 7127"),
    ("ups", "1z5r89390357567127", "1z5r89390357567127"),
    ("usps", "9405 5118 9956 1468 2853 43, USPS", "9405 5118 9956 1468 2853 43"),
    ("dhl", "DHL 33 1881 0025", "33 1881 0025"),
    ("dhl", "DHL Paket 563 102 430 313", "563 102 430 313"),
    ("dhl", "00 3404 3464 2239 5377 20", "00 3404 3464 2239 5377 20"),
    ("colissimo", "Colissimo 8L 01234 56789 5", "8L 01234 56789 5"),
    ("fedex", "FedEx 9865 7878 8855", "9865 7878 8855"),
]


@pytest.mark.parametrize(("carrier", "text", "number"), GROUPED_TRACKING)
def test_a_tracking_number_may_stand_in_groups(carrier: str, text: str, number: str) -> None:
    (entity,) = [entity for entity in find_entities(text) if entity.kind == "tracking"]
    assert (entity.value, entity.carrier) == (number, carrier)
    assert entity.normal == number.replace(" ", "").upper()
    assert values("tracking", text.replace(number, last_digit_off(number))) == []


@pytest.mark.parametrize(
    "text", ["Evri, my card 4111 1111 1111 1111", "563 102 430 313", "33 1881 0025", "call DHL on 0221 4710 536"]
)
def test_cards_and_numbers_without_a_carrier_are_no_tracking_numbers(text: str) -> None:
    assert values("tracking", text) == []


def test_an_asin_may_be_typed_with_small_letters_and_the_letter_o() -> None:
    entities = find_entities("b07o7dk3ff, BO7O7DK3FF and B0d4ct8ljd; asin: B08 N5W RWNW; ISBN 0-306-40615-2")
    assert [(entity.kind, entity.normal) for entity in entities] == [
        ("asin", "B07O7DK3FF"),
        ("asin", "B07O7DK3FF"),
        ("asin", "B0D4CT8LJD"),
        ("asin", "B08N5WRWNW"),
        ("asin", "0306406152"),
    ]


@pytest.mark.parametrize("text", ["bookmarked", "BOOKING123", "BOXES12345", "BO12345678", "b0ttlenecks", "B0C-1834-XL"])
def test_words_and_part_numbers_are_no_asins(text: str) -> None:
    assert values("asin", text) == []


@pytest.mark.parametrize(
    ("link", "asin"),
    [
        ("https://www.amazon.de/Some-Thing/dp/B08W4KZT7M/ref=x?th=1", "B08W4KZT7M"),
        ("amazon.it/dp/B08W4KZT7M", "B08W4KZT7M"),
        ("https://smile.amazon.co.uk/gp/product/0306406152?x=1", "0306406152"),
        ("https://amzn.eu/d/b08w4kzt7m", "b08w4kzt7m"),
    ],
)
def test_the_address_of_a_product_gives_its_asin_too(link: str, asin: str) -> None:
    text = f"This one ({link})."
    url, product = find_entities(text)
    assert (url.kind, url.value) == ("url", link)
    assert (product.kind, product.value) == ("asin", asin)
    assert text[product.start : product.end] == asin
    assert url.start < product.start < product.end <= url.end


@pytest.mark.parametrize("link", ["https://a.example/dp/B08W4KZT7M", "https://www.amazon.de/dp/0306406153"])
def test_other_addresses_give_no_asin(link: str) -> None:
    assert [entity.kind for entity in find_entities(link)] == ["url"]


@pytest.mark.parametrize(
    "link", ["suivi-colis.example/fr9", "dhl-paket.top/pay?x=1", "bit.ly/3xYz", "t.co/abc", "a.shop.example.com/x"]
)
def test_a_link_without_a_scheme_has_a_path(link: str) -> None:
    assert values("url", f"payez sur {link}.") == [link]
    assert values("url", f"«{link}»") == [link]


@pytest.mark.parametrize("text", ["120 km/h", "and/or", "e.g./i.e.", "3.5/4", "kaputt.Bitte/danke", "Amazon.de is"])
def test_words_with_a_slash_are_no_links(text: str) -> None:
    assert values("url", text) == []


BARE_VAT = [
    ("en", "Our VAT number is 102168458, could you", "102168458"),
    ("en", "VAT reg: 102 1684 58", "102 1684 58"),
    ("es", "Nuestro CIF es A49306566, gracias", "A49306566"),
    ("es", "C.I.F.: B-58.378.431", "B-58.378.431"),
    ("it", "con la nostra P.IVA 06401790370 e", "06401790370"),
    ("it", "La nostra partita IVA è 06276130371.", "06276130371"),
    ("de", "USt-IdNr.: 136695976", "136695976"),
    ("fr", "n° de TVA : 40303265045", "40303265045"),
]


@pytest.mark.parametrize(("language", "text", "number"), BARE_VAT)
def test_a_vat_number_without_its_country_is_known_by_the_word(language: str, text: str, number: str) -> None:
    assert found(text, language) == {"vat_id": [number]}
    assert values("vat_id", f"ref. {number}", language) == []
    assert values("vat_id", text.replace(number, last_digit_off(number)), language) == []


@pytest.mark.parametrize("text", ["VAT: DE136695976 ACME GmbH", "vat de136695976 thanks"])
def test_a_vat_number_ends_before_the_next_word(text: str) -> None:
    assert [value.upper() for value in values("vat_id", text)] == ["DE136695976"]


@pytest.mark.parametrize("text", ["P.IVA 07643520568", "numero di serie 0640179037", "codice a barre 0697981234"])
def test_a_number_that_is_called_something_else_is_no_phone(text: str) -> None:
    assert values("phone", text, "it") == []


@pytest.mark.parametrize("extension", [" ext. 12", " x12", " extension 12"])
def test_the_extension_is_no_part_of_the_phone_number(extension: str) -> None:
    assert values("phone", f"mine is (212) 555-0164{extension}. Thanks") == ["(212) 555-0164"]


@pytest.mark.parametrize(
    "amount", ["US$23.75", "CA$30", "$23.75 USD", "20,-€", "30 CAD", "99 centimes", "euro 23,75", "1\u202f249,00 €"]
)
def test_money_has_many_forms(amount: str) -> None:
    assert values("money", f"they took {amount} from me") == [amount]


@pytest.mark.parametrize(
    ("text", "postcodes"),
    [
        ("12 allée des Pins, 33 600 Pessac", ["33 600"]),
        ("Am Sportplatz 3, 48143 Münster statt 48155.", ["48143", "48155"]),
        ("Akku, 12 000 Umdrehungen, 20 000 Euro, 15 000 Stück", []),
    ],
)
def test_a_postcode_may_hold_a_blank_or_correct_another(text: str, postcodes: list[str]) -> None:
    assert values("postcode", text, "de") == postcodes


def test_a_value_in_two_forms_is_listed_once() -> None:
    text = "112 4729533 0284768, again 112–4729533–0284768"
    assert found(text) == {"order_id": ["112-4729533-0284768"]}


HOSTILE = [
    *("1 ", "1-", "1.", "1/2 ", "1.2. ", "3.11., ", "on 11/9 ", "am 3.11. ", "5 Novx ", "may 5 ", "B0ABCDEFG ", "aa."),
    *("VAT 123456789 ", "CIF B58378432 ", "404-1234567-123456 ", "order 20575832594439345x ", "€5 "),
    *("RK 921 808 526 ", "1Z 5R8 939 03 5756 712 ", "amazon.de/dp/B08W4KZT7 ", "3-4-9-9-", "4-1234567-\n"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_near_misses_by_the_thousand_take_no_time(piece: str) -> None:
    # Phone numbers are the library's, which is slower than all the rest: these texts are read for everything.
    text = (piece * 20_000)[:20_000]
    find_entities(text[:100])
    start = time.process_time()
    find_entities(text)
    assert time.process_time() - start < 2


def test_a_mistake_in_a_cued_format_is_said_with_file_and_line(tmp_path: Path) -> None:
    source = Path("classifier/data/entities.yaml").read_text(encoding="utf-8")
    for wrong, problem in (("{{order_werd}}[^", "order_werd"), ("(?<!\\w)({{order_word}}[^", "regular expression")):
        file = tmp_path / "entities.yaml"
        file.write_text(source.replace("before: '(?<!\\w){{order_word}}[^", f"before: '{wrong}", 1), encoding="utf-8")
        with pytest.raises(DataFileError, match=problem):
            load_yaml(file, EntityPatterns)
    file.write_text(source.replace("bare_vat:\n  GB:", "bare_vat:\n  QQ:", 1), encoding="utf-8")
    with pytest.raises(DataFileError, match="QQ"):
        load_yaml(file, EntityPatterns)


@pytest.mark.parametrize(
    ("text", "language", "phone"),
    [
        ("iva inclusa, 340 123 4567 grazie", "it", "340 123 4567"),
        ("nif y tfno 612 345 678", "es", "612 345 678"),
        ("inkl. MwSt. Anruf 0171 2345678", "de", "0171 2345678"),
        ("EAN oder 0171 2345678", "de", "0171 2345678"),
        ("plus VAT, +44 7700 900123", "en", "+44 7700 900123"),
        ("our S/N: +44 7700 900123", "en", "+44 7700 900123"),
        ("GLS soll anrufen 0171 2345 678", "de", "0171 2345 678"),
    ],
)
def test_a_phone_number_is_one_beside_other_words_for_numbers(text: str, language: str, phone: str) -> None:
    assert [(entity.kind, entity.value) for entity in find_entities(text, language)] == [("phone", phone)]


@pytest.mark.parametrize("text", ["we are ok.me/you", "it was paid.in/out", "bestellt.de/die", "fine.it/she said"])
def test_a_missing_blank_before_a_slash_makes_no_link(text: str) -> None:
    assert find_entities(text) == []


@pytest.mark.parametrize("piece", ["a1.", "aa.com1.", "1.www."])
def test_pieces_of_addresses_without_end_take_no_long_time(piece: str) -> None:
    start = time.process_time()
    find_entities((piece * 20_000)[:20_000], "de")
    assert time.process_time() - start < 5
