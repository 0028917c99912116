import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from classifier.features import feature_text
from classifier.reading import MAX_CHARACTERS, plain, read

WORDS = "My kettle does not work."
HISTORY = {
    "en": "On Tue, 3 Nov 2026 at 10:12, Shop Support <a@shop.example> wrote:",
    "fr": "Le mar. 3 nov. 2026 à 10:12, Le Service client <a@shop.example> a écrit :",
    "de": "Am Di., 3. Nov. 2026 um 10:12 Uhr schrieb Kundenservice <a@shop.example>:",
    "es": "El mar, 3 nov 2026 a las 10:12, Atención (<a@shop.example>) escribió:",
    "it": "Il giorno mar 3 nov 2026 alle ore 10:12 Assistenza <a@shop.example> ha scritto:",
}
FORWARDS = [
    "-----Original Message-----",
    "-------- Message d'origine --------",
    "-----Ursprüngliche Nachricht-----",
    "----- Mensaje original -----",
    "----- Messaggio originale -----",
    "________________________________",
    "From: Shop Support <a@shop.example>",
    "De : Service <a@shop.example>",
    "Von: Kundenservice <a@shop.example>",
    "Da: Assistenza <a@shop.example>",
]
SIGN_OFFS = [
    "Kind regards,\nAda Lovelace\n12 Some Street",
    "Cordialement,\nJean Dupont",
    "Mit freundlichen Grüßen\nAnna Schmidt",
    "Un saludo,\nLuis Pérez",
    "Cordiali saluti\nMarco Rossi",
    "-- \nAda\nSent by hand",
]
DEVICES = [
    "Sent from my iPhone",
    "Envoyé de mon iPhone",
    "Von meinem iPhone gesendet",
    "Gesendet mit der GMX Mail App",
    "Enviado desde mi iPhone",
    "Inviato da iPhone",
]
BOILERPLATE = [
    "This email is confidential and intended only for the addressee.",
    "Ce message est confidentiel et destiné à son destinataire.",
    "Diese Nachricht ist vertraulich.",
    "Este mensaje es confidencial.",
    "Questo messaggio è riservato.",
]


def own(body: str, subject: str = "") -> str:
    return read(subject, body).text


@pytest.mark.parametrize("language", HISTORY)
def test_quoted_history_is_not_what_the_customer_wrote(language: str) -> None:
    body = f"{WORDS}\n\n{HISTORY[language]}\n> Your parcel is on its way.\n> The shop"
    assert own(body) == WORDS


@pytest.mark.parametrize("language", HISTORY)
def test_history_is_kept_when_it_is_all_there_is(language: str) -> None:
    assert "Where is my parcel" in own(f"{HISTORY[language]}\n> Where is my parcel?")


@pytest.mark.parametrize("header", FORWARDS)
def test_words_stop_at_a_forwarded_message(header: str) -> None:
    assert own(f"{WORDS}\n\n{header}\nYour parcel is on its way.") == WORDS


def test_a_mere_quote_is_read_without_its_marks() -> None:
    assert own("> Where is\n>> my parcel?") == "Where is\nmy parcel?"


def test_answers_between_quoted_lines_are_kept() -> None:
    assert own("> Which colour?\nBlue.\n> Which size?\nLarge.") == "Blue.\nLarge."


@pytest.mark.parametrize("signature", SIGN_OFFS)
def test_a_signature_is_no_part_of_the_words(signature: str) -> None:
    assert own(f"{WORDS}\n\n{signature}") == WORDS


def test_a_sign_off_word_inside_the_message_ends_nothing() -> None:
    body = "Cheers\n" + "\n".join(f"line {number} of a long story" for number in range(12))
    assert own(body) == body


@pytest.mark.parametrize("line", DEVICES + BOILERPLATE)
def test_machine_lines_are_dropped(line: str) -> None:
    assert own(f"{WORDS}\n\n{line}") == WORDS


def test_markup_becomes_plain_text() -> None:
    body = (
        "<html><head><style>p {color: red}</style></head><body><p>My kettle</p><br/>does <b>not</b>"
        "<script>alert('x')</script> work &amp; smells&nbsp;bad: 3 &lt; 4</body></html>"
    )
    read_text = own(body)
    assert re.sub(r"\s+", " ", read_text) == "My kettle does not work & smells bad: 3 < 4"
    assert "\n" in read_text


def test_angle_brackets_that_are_no_markup_stay() -> None:
    assert own("size <40 or >42, a<b") == "size <40 or >42, a<b"


def test_control_and_zero_width_characters_vanish_and_line_ends_are_plain() -> None:
    assert plain("re\u200bfund\x00 \ufeffnow\r\nplease\rthanks\x07") == "refund now\nplease\nthanks"


def test_accents_are_composed() -> None:
    assert plain("cafe\u0301") == "café"


def test_the_subject_is_read_once() -> None:
    assert own("Where is my parcel? It is late.", "where is my parcel?") == "Where is my parcel? It is late."
    assert own("It is late.", "Where is my parcel?") == "Where is my parcel?\nIt is late."
    assert own("", "Where is my parcel?") == "Where is my parcel?"


def test_everything_still_holds_the_history() -> None:
    body = f"{WORDS}\n\n{HISTORY['en']}\n> I will call my lawyer."
    assert "lawyer" in read("s", body).everything
    assert "lawyer" not in read("s", body).text


def test_of_a_long_message_head_and_tail_are_read() -> None:
    text = own("first words " + "padding " * 20_000 + "last words")
    assert len(text) <= MAX_CHARACTERS + 1
    assert text.startswith("first words")
    assert text.endswith("last words")


MEGABYTES = {
    "words": "refund please " * 75_000,
    "empty lines": "\n" * 1_000_000,
    "spaces": " " * 1_000_000 + "x",
    "non-breaking spaces": "\xa0" * 1_000_000,
    "open tags": "<b>x</b>" + "<style " * 150_000,
    "angle brackets": "<" * 1_000_000,
    "quote marks": "> " * 500_000,
    "at signs": "@" * 1_000_000,
    "addresses": "a@" * 500_000,
    "hyphens": "-" * 1_000_000,
    "digits and hyphens": "1-" + "-" * 1_000_000 + "1",
    "one word": "a" * 1_000_000,
    "emoji": "😀" * 250_000,
}


@pytest.mark.parametrize("kind", MEGABYTES)
def test_a_megabyte_of_anything_is_read_in_reasonable_time(kind: str) -> None:
    start = time.process_time()
    feature_text(MEGABYTES[kind], MEGABYTES[kind])
    assert time.process_time() - start < 5


FRAGMENTS = st.sampled_from(
    [
        "\n",
        "> ",
        "<b>",
        "</p>",
        "<style>",
        "&amp;",
        "&lt;p&gt;",
        "-- ",
        "Kind regards\n",
        "refund",
        "né",
        "\r\n",
        "\x00",
    ]
    + [f"{line}\n" for line in [*HISTORY.values(), *FORWARDS, *DEVICES]]
)
MESSAGES = st.lists(st.one_of(FRAGMENTS, st.text(max_size=20)), max_size=30).map("".join)


@settings(max_examples=150, deadline=None)
@given(subject=st.text(max_size=30), body=MESSAGES)
def test_reading_never_fails_and_never_loses_all_words(subject: str, body: str) -> None:
    reading = read(subject, body)
    if re.search(r"\w", reading.whole):
        assert reading.words
    assert len(reading.words) <= MAX_CHARACTERS + 1


@settings(max_examples=100, deadline=None)
@given(MESSAGES)
def test_reading_what_was_read_changes_no_more_than_reading_it_did(body: str) -> None:
    words = read("", body).words
    assume(not set("<&") & set(words))  # what was escaped once is markup the second time
    again = read("", words).words
    assert len(again) <= len(words)
    assert bool(again) == bool(words)


def test_features_name_identifiers_without_repeating_them() -> None:
    text = feature_text("", "Order 123-4567890-1234567, see https://x.example/a?b=1 or mail ada@x.example, @shop #4711")
    assert text == "Order 000 , see link or mail email , 000"


HABITS = yaml.safe_load((Path(__file__).parent / "data" / "mail_habits.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", HABITS["words"])
@pytest.mark.parametrize("habit", HABITS["habits"])
def test_of_what_programs_and_marketplaces_wrap_the_customers_words_are_left(habit: str, language: str) -> None:
    wrapped = HABITS["habits"][habit][language]
    words = HABITS["words"][language]
    assert [own(wrapped.replace("{words}", text)) for text in words] == words


def test_a_quoted_wrapper_below_the_words_takes_none_of_them() -> None:
    history = HABITS["habits"]["amazon"]["en"].replace("{words}", "old words")
    assert own(f"{WORDS}\n\n{HISTORY['en']}\n{history}") == WORDS


def test_a_line_that_looks_like_one_field_of_a_header_is_kept() -> None:
    assert own("From: me\nwith thanks for the lamp") == "From: me\nwith thanks for the lamp"
