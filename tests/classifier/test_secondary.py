import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ReasonModel
from classifier.secondary import SecondaryHead
from classifier.sentences import sentence_spans
from classifier.tagger import Tagger
from training.secondary import asked_for, evaluate_secondary


@pytest.fixture(scope="module")
def tagger(taxonomy, starter_model):
    return Tagger(taxonomy, starter_guard(), language_identifier(), starter_model)


def test_sentences_are_found_with_their_places_and_short_ones_join_the_next():
    text = "Hi! My parcel is late; where is it?\nAlso I need the invoice"
    assert [text[a:b].strip() for a, b in sentence_spans(text)] == [
        "Hi! My parcel is late;",
        "where is it?",
        "Also I need the invoice",
    ]


@given(st.text(max_size=200))
def test_sentences_follow_each_other_and_leave_no_word_out(text):
    spans = sentence_spans(text)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    inside = "".join(text[a:b] for a, b in spans)
    assert sum(ch.isalnum() for ch in inside) == sum(ch.isalnum() for ch in text)


def test_a_reason_is_the_likelier_the_more_its_own_sentence_says_so():
    head = SecondaryHead(intercept=1.0, whole=0.5, part=1.2, threshold=0.3)
    whole, parts = np.full((1, 3), 0.1), np.array([[0.01, 0.5, 0.99]])
    assert np.all(np.diff(head.probabilities(whole, parts)[0]) > 0)


@pytest.mark.parametrize(
    ("body", "reason", "also"),
    [
        ("Where is my parcel? It was due on Monday. I also need an invoice.", "tracking_update", "invoice_request"),
        ("La tasse est arrivée cassée. Et annulez mon autre commande.", "damaged_in_transit", "cancel_order"),
        ("Der Pulli ist zu klein. Außerdem habe ich noch keine Rechnung bekommen.", "wrong_size", "invoice_request"),
    ],
)  # fmt: skip
def test_a_second_request_is_named_beside_the_first(tagger, body, reason, also):
    tag = tagger.tag("", body)
    named = {tag.reason, *(other.id for other in tag.secondary)}
    assert {reason, also} <= named
    assert tag.reason not in {other.id for other in tag.secondary}


@pytest.mark.parametrize("body", ["Where is my parcel?", "Bonjour, je voudrais une facture. Merci !", "Danke!"])
def test_one_request_has_no_other_beside_it(tagger, body):
    assert tagger.tag("", body).secondary == ()


def test_a_written_model_finds_the_same_further_reasons(starter_model, encoder):
    read = ReasonModel.from_files(starter_model.to_files(), encoder)
    texts = ["It arrived broken. Can I have an invoice, too?"]
    assert read.secondary == starter_model.secondary
    before, after = (model.further(texts, model.scores(texts).probabilities) for model in (starter_model, read))
    assert np.allclose(before, after, atol=0.01)


def test_a_model_without_tickets_read_for_them_names_none(small_model):
    texts = ["Where is my parcel? And send me an invoice."]
    assert small_model.secondary is None
    assert not small_model.further(texts, small_model.scores(texts).probabilities).any()


def test_what_is_named_is_right_more_often_than_not_on_tickets_never_learned_from(starter_model, corpus):
    read = [example for example in corpus if example.frozen and example.secondary is not None]
    figures = evaluate_secondary(
        starter_model, [e.text for e in read], [e.reason for e in read], [e.secondary for e in read]
    )
    print(figures)
    assert figures.n > 150
    assert figures.precision > 0.5
    assert figures.recall > 0.4


def test_a_ticket_asks_for_its_own_reason_and_the_further_ones():
    asked = asked_for(("a", "b", "c"), ["a", "c"], [("b",), ()])
    assert asked.tolist() == [[True, True, False], [False, False, True]]
