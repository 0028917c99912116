import numpy as np
import pytest

from classifier import explanation
from classifier.explanation import explain, word_effects
from classifier.model import ReasonModel

TEXT = "Good evening. My parcel from 000 has not moved for nine days, where is the parcel? Thank you."


def test_the_words_effects_add_up_to_the_lexical_heads_difference(small_model: ReasonModel) -> None:
    assert small_model.lexical is not None
    assert small_model.lexical_features is not None
    a, b = 0, 1
    row = small_model.lexical_features.transform([TEXT])
    difference = (row @ (small_model.lexical.coefficients[:, a] - small_model.lexical.coefficients[:, b]))[0]
    effects = word_effects(small_model, TEXT, a, b)
    assert sum(effect.effect for effect in effects) == pytest.approx(difference * small_model.fusion[1], abs=0.02)


def test_an_explanation_names_the_words_sentences_and_tickets_behind_the_tag(small_model: ReasonModel) -> None:
    why = explain(small_model, TEXT)
    assert why.label == "tracking_update"
    assert why.log_odds > 0
    assert {effect.text.strip(",?.").lower() for effect in why.words[:4]} & {"parcel", "where", "moved"}
    strongest = max(why.sentences, key=lambda effect: effect.effect)
    assert "parcel" in strongest.text
    assert why.nearest[0].label == "tracking_update"
    similarities = [ticket.similarity for ticket in why.nearest]
    assert similarities == sorted(similarities, reverse=True)


def test_one_sentence_is_not_taken_from_itself(small_model: ReasonModel) -> None:
    assert explain(small_model, "where is my parcel").sentences == ()


@pytest.mark.parametrize("text", ["?", "1", "a " * 3000, "Où est-il ? \u00a0 DAS paket\tist—weg…"])
def test_any_text_can_be_explained(small_model: ReasonModel, text: str) -> None:
    why = explain(small_model, text)
    assert why.label in small_model.labels
    assert np.isfinite([effect.effect for effect in (*why.words, *why.sentences)]).all()


def test_sentences_beyond_those_that_are_tried_stay_in_the_text(
    small_model: ReasonModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Good evening. Hello again. My parcel from 000 has not moved for nine days, where is the parcel?"
    whole = explain(small_model, text)
    monkeypatch.setattr(explanation, "MAX_SENTENCES", 2)
    cut = explain(small_model, text)
    assert cut.label == "tracking_update"
    assert cut.sentences == whole.sentences[:2]
