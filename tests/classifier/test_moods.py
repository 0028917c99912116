"""Mood and urgency by the packaged model; figures on judged tickets are in tests/training/test_moods.py."""

import numpy as np
import pytest

from classifier.encoders import MINILM, UNIVERSAL, Encoder
from classifier.moods import MoodFormatError, MoodModel, default_vectors, moods_of, packaged_moods
from classifier.sentiment import Sentiment, sentiment
from classifier.urgency import Urgency

UNHAPPY = {Sentiment.NEGATIVE, Sentiment.VERY_NEGATIVE}


@pytest.mark.parametrize(
    "text",
    [
        "I do wonder what exactly I paid for. Three weeks, four mails, and not one of you could be bothered to reply.",
        "Je me demande à quoi sert votre service client : personne ne répond depuis un mois, je n'ai plus confiance.",
        "So langsam frage ich mich, wofür ich bezahlt habe. Seit drei Wochen werde ich nur vertröstet.",
    ],
)
def test_a_tone_is_heard(encoder: Encoder, text: str) -> None:
    [(mood, _)] = moods_of(UNIVERSAL, encoder.encode([text]), [text])
    assert mood in UNHAPPY


def test_a_tone_without_a_listed_word_is_heard(encoder: Encoder) -> None:
    text = "So langsam frage ich mich, wofür ich bezahlt habe. Seit drei Wochen werde ich nur vertröstet."
    assert sentiment(text) not in UNHAPPY
    assert moods_of(UNIVERSAL, encoder.encode([text]), [text])[0][0] in UNHAPPY


def test_praise_and_questions_are_told_from_complaints(encoder: Encoder) -> None:
    texts = [
        "Absolutely delighted with the lamp, it is gorgeous and came early. Thank you so much, you are wonderful!",
        "Hello, which batteries does the clock take?",
    ]
    praise, question = (mood for mood, _ in moods_of(UNIVERSAL, encoder.encode(texts), texts))
    assert praise in {Sentiment.POSITIVE, Sentiment.VERY_POSITIVE}
    assert question is Sentiment.NEUTRAL


def test_danger_is_more_urgent_than_a_question(encoder: Encoder) -> None:
    texts = ["The charger caught fire next to my son's bed.", "Is the blue one coming back at some point?"]
    (_, danger), (_, question) = moods_of(UNIVERSAL, encoder.encode(texts), texts)
    assert list(Urgency).index(danger) > list(Urgency).index(question)


def test_without_the_default_encoder_lexicon_and_cues_decide() -> None:
    text = "This is a disgrace, pathetic and useless. It is urgent!"
    assert default_vectors(MINILM, np.ones((1, 384), dtype=np.float32)) is None
    assert moods_of(MINILM, np.ones((1, 384), dtype=np.float32), [text]) == [(Sentiment.VERY_NEGATIVE, Urgency.HIGH)]


def test_the_default_encoder_is_found_beside_another(encoder: Encoder) -> None:
    vectors = encoder.encode(["where is my parcel"])
    beside = np.concatenate([vectors, np.ones((1, 384), dtype=np.float32)], axis=1) / np.sqrt(2)
    found = default_vectors(f"{UNIVERSAL}+{MINILM}", beside)
    assert found is not None
    np.testing.assert_allclose(found, vectors, atol=1e-6)


def test_a_model_survives_its_bytes(encoder: Encoder) -> None:
    model = packaged_moods()
    again = MoodModel.from_bytes(model.to_bytes())
    vectors = encoder.encode(["thanks a lot"])
    assert again.judge(vectors, ["thanks a lot"]) == model.judge(vectors, ["thanks a lot"])


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no archive", packaged_moods().to_bytes()[:-200]])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(MoodFormatError, match=r"python -m training\.moods"):
        MoodModel.from_bytes(data)
