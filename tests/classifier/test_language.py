from collections import Counter

import pytest

from benchmarks.reading import language_accuracy
from classifier.language import UNKNOWN, language_identifier
from training.corpus import Example

SHORT = {
    "en": [
        "Where is my parcel now?",
        "I want my money back",
        "the zip broke after washing",
        "can you cancel it please",
    ],
    "fr": [
        "Où est donc mon colis",
        "je veux être remboursé vite",
        "la fermeture a cassé hier",
        "pouvez-vous annuler ma commande",
    ],
    "de": [
        "Wo bleibt denn mein Paket",
        "Ich möchte mein Geld zurück",
        "der Reißverschluss ist schon kaputt",
        "bitte meine Bestellung stornieren danke",
    ],
    "es": [
        "Dónde está mi paquete ahora",
        "quiero que me devuelvan dinero",
        "la cremallera se ha roto",
        "por favor cancelen mi pedido",
    ],
    "it": [
        "Dove si trova il pacco",
        "rivoglio indietro i miei soldi",
        "la cerniera si è rotta",
        "potete annullare il mio ordine",
    ],
}
FOREIGN = {
    "pt": "Olá, onde está a minha encomenda? Já não tenho paciência para esperar.",
    "nl": "Waar blijft mijn pakket? Ik wacht al twee weken op de bestelling.",
    "pl": "Gdzie jest moja paczka? Czekam już od dwóch tygodni na zamówienie.",
    "ru": "Где моя посылка? Я жду уже две недели.",
    "ja": "荷物はどこですか。二週間待っています。",
    "zh": "我的包裹在哪里？我已经等了两个星期。",
    "ar": "أين طردي؟ أنتظر منذ أسبوعين.",
}


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in SHORT.items() for text in texts])
def test_five_words_are_enough(language: str, text: str) -> None:
    assert language_identifier().identify(text) == language


@pytest.mark.parametrize("language", FOREIGN)
def test_a_language_that_the_desk_does_not_work_in_is_recognised_as_such(language: str) -> None:
    identifier = language_identifier()
    assert identifier.identify(FOREIGN[language]) == language
    assert not identifier.supported(language)


@pytest.mark.parametrize("text", ["", "   ", "123-4567890-1234567", "👍👍", "?!", "\x00"])
def test_without_letters_the_language_is_undetermined(text: str) -> None:
    assert language_identifier().identify(text) == UNKNOWN
    assert not language_identifier().supported(UNKNOWN)


def test_curly_apostrophes_and_capitals_do_not_matter() -> None:
    assert language_identifier().identify("J’AI REÇU UN COLIS VIDE") == "fr"


def test_almost_every_starter_ticket_is_recognised(corpus: list[Example]) -> None:
    identify = language_identifier().identify
    seen, right = Counter(), Counter()
    for example in corpus:
        seen[example.locale] += 1
        right[example.locale] += identify(f"{example.subject}\n{example.body}") == example.locale
    assert {code: round(right[code] / n, 3) for code, n in seen.items() if right[code] / n < 0.98} == {}


def test_messages_of_two_to_six_words_are_recognised() -> None:
    accuracy = language_accuracy()
    assert set(accuracy) == {"en", "fr", "de", "es", "it"}
    assert sum(accuracy.values()) / len(accuracy) > 0.97
    assert min(accuracy.values()) > 0.92


@pytest.mark.parametrize(
    "text",
    [
        "Hi, mein Paket ist still nicht da, please help",
        "Hola, my order no ha llegado",
        "Bonjour, where is mon colis please",
        "ciao, tracking dice delivered ma nothing",
        "No me llega el parcel, refund please",
        "jai pas recu le tracking number, plz refund",
    ],
)
def test_a_message_in_two_languages_is_in_one_that_the_desk_works_in(text: str) -> None:
    identifier = language_identifier()
    assert identifier.supported(identifier.identify(text))
