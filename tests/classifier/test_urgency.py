import time

import pytest

from benchmarks.reading import rows
from classifier.urgency import Urgency, urgency

CASES = {
    Urgency.CRITICAL: [
        "The battery caught fire while charging",
        "La batterie a pris feu dans le couloir",
        "Der Akku ist explodiert",
        "El cargador explotó de noche",
        "Siamo al pronto soccorso con la bambina",
        "You will hear from my lawyer",
        "J'ai ouvert une Garantie A à Z",
        "Abmahnung wegen Unionsmarke",
    ],
    Urgency.HIGH: [
        "I need it before Saturday",
        "On part vendredi matin",
        "Ich brauche es bis Freitag",
        "Lo necesito para el viernes",
        "Mi serve entro sabato",
        "Please do not ship it, I ordered ten minutes ago",
        "URGENT svp",
    ],
    Urgency.NORMAL: ["Where is my parcel?", "Il manque une vis", "Die Lampe ist kaputt", "Falta la factura", "È rotto"],
    Urgency.LOW: [
        "No rush, just wondering whether it comes in blue",
        "Petite question, pas urgent",
        "Kurze Frage, eilt nicht",
        "No me corre prisa",
        "Senza fretta, una curiosità",
    ],
}


@pytest.mark.parametrize(("level", "text"), [(level, text) for level, texts in CASES.items() for text in texts])
def test_a_cue_sets_the_level(level: Urgency, text: str) -> None:
    assert urgency(text) is level


def test_the_most_urgent_cue_decides() -> None:
    assert urgency("No rush with the refund, but by Friday. The first one caught fire.") is Urgency.CRITICAL
    assert urgency("No rush, but before Friday please") is Urgency.HIGH


@pytest.mark.parametrize("text", ["", "   ", "12345", "\x00", "📦"])
def test_nothing_said_is_normal(text: str) -> None:
    assert urgency(text) is Urgency.NORMAL


def test_reading_the_urgency_is_quick() -> None:
    texts = [f"{row['subject']}\n{row['body']}" for row in rows("moods.jsonl")]
    urgency(texts[0])
    start = time.process_time()
    for text in texts:
        urgency(text)
    assert (time.process_time() - start) / len(texts) < 0.001


def test_a_megabyte_takes_no_longer_than_its_beginning() -> None:
    start = time.process_time()
    urgency("caught fir " * 100_000)
    assert time.process_time() - start < 1
