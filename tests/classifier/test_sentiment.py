import pytest

from classifier.sentiment import Sentiment, sentiment, sentiment_score

UNHAPPY = {
    "en": [
        "This is a disgrace, you are scammers",
        "Absolutely useless, I am furious",
        "terrible service, never again",
        "I am so disappointed",
        "worst shop ever",
        "what a joke",
    ],
    "fr": [
        "C'est une honte, bande de voleurs",
        "service catastrophique",
        "je suis très déçue",
        "vous vous moquez de moi",
        "arnaque totale",
        "c'est inadmissible",
    ],
    "de": [
        "Das ist Betrug, eine Frechheit",
        "katastrophaler Service",
        "ich bin sehr enttäuscht",
        "Saftladen, nie wieder",
        "ich bin stinksauer, so eine Abzocke",
        "unverschämt",
    ],
    "es": [
        "Esto es una estafa",
        "qué vergüenza, pésimo servicio",
        "estoy muy decepcionada",
        "sois unos ladrones",
        "un desastre, nunca más",
        "estoy harto de esperar",
    ],
    "it": [
        "Siete dei truffatori, una truffa",
        "servizio pessimo",
        "sono molto deluso",
        "vergognatevi",
        "è uno schifo",
        "una presa in giro, mai più",
    ],
}
HAPPY = {
    "en": [
        "Thank you, it is perfect",
        "I love it, great quality",
        "excellent service, thanks",
        "wonderful, very happy",
        "brilliant, cheers",
    ],
    "fr": [
        "Merci, c'est parfait",
        "je suis ravie, super qualité",
        "excellent service",
        "impeccable, bravo",
        "génial, merci beaucoup",
    ],
    "de": [
        "Vielen Dank, alles perfekt",
        "super Qualität, ich freue mich",
        "ausgezeichnet",
        "ich bin begeistert",
        "tolle Ware, danke",
    ],
    "es": [
        "Gracias, es perfecto",
        "me encanta",
        "excelente servicio",
        "estoy muy contenta, genial",
        "maravilloso",
    ],
    "it": [
        "Grazie, è perfetto",
        "ottima qualità",
        "fantastico, sono felice",
        "servizio eccellente",
        "bravissimi, complimenti",
    ],
}
NEUTRAL = {
    "en": [
        "Where is my parcel?",
        "I need an invoice for my order",
        "Is it compatible with model 3?",
    ],
    "fr": [
        "Où est mon colis ?",
        "Il me faut une facture",
        "Est-ce compatible avec le modèle 3 ?",
    ],
    "de": [
        "Wo ist mein Paket?",
        "Ich brauche eine Rechnung",
        "Passt das zu Modell 3?",
    ],
    "es": [
        "¿Dónde está mi paquete?",
        "Necesito una factura",
        "¿Es compatible con el modelo 3?",
    ],
    "it": [
        "Dov'è il mio pacco?",
        "Mi serve una fattura",
        "È compatibile con il modello 3?",
    ],
}
NEGATED = [
    ("en", "I am not happy"),
    ("en", "this is not great"),
    ("en", "never really helpful"),
    ("fr", "pas très content"),
    ("fr", "ce n'est pas parfait"),
    ("de", "ich bin nicht zufrieden"),
    ("de", "keine tolle Qualität"),
    ("es", "no estoy contento"),
    ("es", "no es perfecto"),
    ("it", "non sono contento"),
    ("it", "non è perfetto"),
]


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(language, text) for language, texts in table.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), cases(UNHAPPY))
def test_anger_is_negative(language: str, text: str) -> None:
    assert sentiment(text) in {Sentiment.NEGATIVE, Sentiment.VERY_NEGATIVE}


@pytest.mark.parametrize(("language", "text"), cases(HAPPY))
def test_praise_is_positive(language: str, text: str) -> None:
    assert sentiment(text) in {Sentiment.POSITIVE, Sentiment.VERY_POSITIVE}


@pytest.mark.parametrize(("language", "text"), cases(NEUTRAL))
def test_a_plain_question_is_neutral(language: str, text: str) -> None:
    assert sentiment(text) is Sentiment.NEUTRAL


@pytest.mark.parametrize(("language", "text"), NEGATED)
def test_negated_praise_is_no_praise(language: str, text: str) -> None:
    assert sentiment_score(text) < 0


def test_several_insults_are_worse_than_one() -> None:
    assert sentiment("useless") is Sentiment.NEGATIVE
    assert sentiment("useless, pathetic, a disgrace") is Sentiment.VERY_NEGATIVE


def test_shouting_and_exclamation_marks_lower_the_mood() -> None:
    assert sentiment_score("WHERE IS THAT PARCEL FROM LAST WEEK") < sentiment_score(
        "where is that parcel from last week"
    )
    assert sentiment_score("where is it!!") < sentiment_score("where is it")
    assert sentiment_score("perfect!!") == sentiment_score("perfect")


@pytest.mark.parametrize("text", ["", " ", "12345", "📦", "\x00"])
def test_nothing_said_is_neutral(text: str) -> None:
    assert sentiment(text) is Sentiment.NEUTRAL


def test_accents_and_capitals_do_not_matter() -> None:
    assert sentiment_score("DÉÇU") == sentiment_score("decu")
