"""The bot's data files: complete in every language, and every mistake named with its line."""

import pytest

from bot.decision import starter_decision
from bot.phrases import Intent, starter_phrases
from bot.wording import STARTER_WORDING, Wording, starter_wording
from classifier.datafile import DataFileError, parse_yaml
from classifier.language import language_identifier
from classifier.taxonomy import starter_taxonomy
from kb.policy import check

LOCALES = ("en", "fr", "de", "es", "it")
VALUES = {"shop": "Lumen & Co", "ticket": "T-ABCDEFGHJK", "topics": "EXW", "day": "23. 11.", "time": "17:00 (UTC+1)"}


def test_every_locale_of_the_taxonomy_has_its_wording():
    assert set(starter_wording().locales) == set(starter_taxonomy().locales) == set(LOCALES)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_wording_is_in_its_language_and_passes_the_policy_check(locale):
    words = starter_wording()[locale]
    for key in type(words.says).model_fields:
        text = words.say(key, **VALUES)
        assert language_identifier().identify(text) == locale, key
        assert [v for v in check(text, locale=locale) if v.blocks] == [], key


def test_reasons_in_the_settings_are_contact_reasons():
    settings, ids = starter_decision(), set(starter_taxonomy().ids)
    assert settings.order_reasons | settings.close_reasons | settings.thanks_reasons <= ids


def test_wording_that_misses_a_field_is_refused_with_file_and_line():
    text = STARTER_WORDING.read_text(encoding="utf-8")
    with pytest.raises(DataFileError, match=r"wording.yaml:\d+: locales\.de\.says\.clarify_open: Field required"):
        parse_yaml(
            text.replace('      clarify_open: "Das habe', '      clarify_opn: "Das habe'), Wording, "wording.yaml"
        )
    with pytest.raises(DataFileError, match="its fields in braces differ"):
        parse_yaml(text.replace("Aktenzeichen ist {ticket}", "Aktenzeichen fehlt"), Wording, "wording.yaml")
    with pytest.raises(DataFileError, match="unknown field customer"):
        parse_yaml(text.replace("Your reference is {ticket}", "{customer}"), Wording, "wording.yaml")


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Yes, thank you!", Intent.YES),
        ("Oui merci", Intent.YES),
        ("Sì, grazie", Intent.YES),
        ("No.", Intent.NO),
        ("Nein, leider nicht", Intent.NO),
        ("Merci beaucoup 🙂", Intent.THANKS),
        ("Danke schön", Intent.THANKS),
        ("¡Hola!", Intent.GREETING),
        ("Guten Tag", Intent.GREETING),
        ("je ne l'ai pas", Intent.NO_ORDER),
        ("Habe ich nicht zur Hand", Intent.NO_ORDER),
        ("no lo tengo a mano", Intent.NO_ORDER),
        ("non ce l'ho", Intent.NO_ORDER),
        ("Pouvez-vous me passer un conseiller ?", Intent.PERSON),
        ("kein Bot bitte", Intent.PERSON),
    ],
)
def test_phrases_are_heard_as_people_type_them(text, intent):
    assert intent in starter_phrases().heard(text)


@pytest.mark.parametrize(
    "text",
    [
        "No parcel has come yet",
        "thanks but where is my parcel",
        "Hallo, wo ist mein Paket?",
        "is this wig made of human hair?",
        "Does the robot vacuum have a charger?",
        "personne n'a livré mon colis",
        "un paquete para tres personas",
    ],
)
def test_phrases_are_not_heard_where_more_is_said(text):
    assert starter_phrases().heard(text) == frozenset()


def test_every_button_label_is_understood_when_typed():
    wanted = {"solved": Intent.YES, "no_order": Intent.NO_ORDER, "person": Intent.PERSON}
    for locale in LOCALES:
        labels = starter_wording()[locale].choices
        for name, intent in wanted.items():
            assert intent in starter_phrases().heard(getattr(labels, name)), (locale, name)
