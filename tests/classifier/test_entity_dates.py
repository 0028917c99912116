"""Days as customers write them, with the name of the month or short, and what only looks like one."""

import pytest

from classifier.entities import find_entities


def dates_in(text: str, language: str = "en") -> list[str]:
    return [entity.value for entity in find_entities(text, language) if entity.kind == "date"]


DATES_WITH_MONTHS = [
    ("en", "by Nov 3rd", "Nov 3rd"),
    ("en", "by the 20th of November", "20th of November"),
    ("en", "on December 12, 2026 at last", "December 12, 2026"),
    ("en", "since 5 May", "5 May"),
    ("en", "since May the 5th", "May the 5th"),
    ("en", "the 5th of may", "5th of may"),
    ("en", "on 3-Nov-2026", "3-Nov-2026"),
    ("fr", "depuis le 1er mars", "1er mars"),
    ("fr", "avant le 15 nov. au plus tard", "15 nov."),
    ("fr", "le 3 févr. 2026", "3 févr. 2026"),
    ("fr", "le 15 août", "15 août"),
    ("de", "am 5. Nov. und danach", "5. Nov."),
    ("de", "am 21. November", "21. November"),
    ("de", "am 3. März 2026", "3. März 2026"),
    ("de", "am 1. Jänner", "1. Jänner"),
    ("es", "el 5 de mayo", "5 de mayo"),
    ("es", "el 15 de nov. como tarde", "15 de nov."),
    ("es", "el 6 de octubre del 2026", "6 de octubre del 2026"),
    ("es", "el 1º de enero", "1º de enero"),
    ("it", "il 1° maggio", "1° maggio"),
    ("it", "dal 5 lug a oggi", "5 lug"),
    ("it", "dall'8 dicembre", "8 dicembre"),
]


@pytest.mark.parametrize(("language", "text", "date"), DATES_WITH_MONTHS)
def test_a_date_may_name_its_month_in_five_languages(language: str, text: str, date: str) -> None:
    assert dates_in(f"Nothing came {text}", language) == [date]


@pytest.mark.parametrize(
    "text",
    [
        "the iPad of the 3rd gen, a 2 set and 5 lug rims",
        "you may 5 times, I need 4. May I ask",
        "3 Mars bars",
        "in March 2026",
        "March 20 pcs, June 25mm, Jan 5.99",
        "room 32 November, 0 May",
    ],
)
def test_words_that_look_like_months_make_no_date(text: str) -> None:
    assert dates_in(text) == []


SHORT_DATES = [
    ("en", "hasn't moved since 11/9.", ["11/9"]),
    ("en", "on Monday 3/11, by 12/5", ["3/11", "12/5"]),
    ("en", "between 3/11 and 5/11", ["3/11", "5/11"]),
    ("fr", "bloqué depuis le 9/11.", ["9/11"]),
    ("fr", "ma commande du 3/11, jusqu'au 12/12", ["3/11", "12/12"]),
    ("de", "sollte am 3.11. ankommen", ["3.11."]),
    ("de", "noch vor dem 6.12. (Nikolaus)?", ["6.12."]),
    ("de", "vom 3.11. bis 5.11., am 7.11 oder seit 8.11.", ["3.11.", "5.11.", "7.11", "8.11."]),
    ("es", "parado desde el 9/11 y el 3-11", ["9/11", "3-11"]),
    ("it", "ferma dal 9/11, entro il 20.11, dall'11/9", ["9/11", "20.11", "11/9"]),
]


@pytest.mark.parametrize(("language", "text", "dates"), SHORT_DATES)
def test_a_short_date_is_known_by_the_word_in_front(language: str, text: str, dates: list[str]) -> None:
    assert dates_in(text, language) == dates


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "jeans 30/32 or 10/12, 1/2 inch and 3/4, 24/7, 9/10 would buy"),
        ("en", "reduced by 3/4, on 3/8 inch, a hose from 1/2 to 3/4"),
        ("en", "Firmware 3.11 keeps crashing, I'm on 3.9, version 3.11.26, iOS 12.1.26"),
        ("fr", "entraxe 11/12, le 10/12 ans, un écran 16/9, note de 4/5"),
        ("de", "Kapitel 3.2. lesen, Punkt 2.3. der Anleitung, Version 3.11. (neu)"),
        ("de", "ab 3.5 kg, um 9.11 Uhr, am 9.11 Uhr, 5/112, auf 3.9 zurück"),
        ("es", "iba 3-2, el 3-2 fue gol, un 1/5, talla 41/42"),
        ("it", "gomma 5/112, taglia 41/42, camera 25/32"),
        ("en", "99.12.2026, 12.13.20, 13/13/2026, 2026-13-01"),
    ],
)
def test_versions_fractions_sizes_and_scores_are_no_dates(language: str, text: str) -> None:
    assert dates_in(text, language) == []


@pytest.mark.parametrize("date", ["28-10-2026", "28. 10. 2026", "2026/10/28", "2026.10.28", "3.11.26", "28/10/26"])
def test_a_full_date_has_many_forms(date: str) -> None:
    assert dates_in(f"It came {date}, broken") == [date]
