import json
import time
from dataclasses import replace

import pytest

from classifier.guard import MODEL_RULE, UNAVAILABLE_RULE, starter_guard
from classifier.language import language_identifier
from classifier.tagger import Tagger
from classifier.taxonomy import Taxonomy

TRACKING = ("Parcel", "Where is my parcel? I ordered it nine days ago and the tracking has not moved.")
KEYS = [
    "reason",
    "confidence",
    "decision",
    "autonomy",
    "reasons",
    "guard",
    "language",
    "sentiment",
    "entities",
    "model",
    "urgency",
    "secondary",
]


@pytest.fixture(scope="session")
def without_model(taxonomy: Taxonomy) -> Tagger:
    return Tagger(taxonomy, starter_guard(), language_identifier(), None)


@pytest.fixture(scope="session")
def bold_tagger(small_tagger: Tagger) -> Tagger:
    """Believes every guess of the small model, so that only the other conditions can keep it from tagging."""
    model = small_tagger.model
    assert model is not None
    thresholds = replace(
        model.thresholds, guarantee=replace(model.thresholds.guarantee, threshold=0.0), familiarity=0.0, human_only=2.0
    )
    return Tagger(
        small_tagger.taxonomy, small_tagger.guard, small_tagger.languages, replace(model, thresholds=thresholds), "bold"
    )


def test_a_tag_has_the_public_keys_and_types(small_tagger: Tagger) -> None:
    tag = json.loads(json.dumps(small_tagger.tag(TRACKING[0], TRACKING[1] + " 123-4567890-1234567").to_json()))
    assert list(tag) == KEYS
    assert tag["reason"] == "tracking_update"
    assert 0 <= tag["confidence"] <= 1
    assert tag["decision"] in ("tagged", "undecided")
    assert tag["autonomy"] == "self_service"
    assert all(list(other) == ["id", "probability"] for other in tag["reasons"])
    assert tag["guard"] == []
    assert (tag["language"], tag["sentiment"]) == ("en", "neutral")
    assert tag["entities"] == {"order_id": ["123-4567890-1234567"]}
    assert tag["model"] == "reasons/small-1"


def test_alternatives_come_most_probable_first_and_the_best_is_the_reason(small_tagger: Tagger) -> None:
    tag = small_tagger.tag(*TRACKING)
    probabilities = [other.probability for other in tag.reasons]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(probabilities) == 5
    assert (tag.reason, tag.confidence) == (tag.reasons[0].id, tag.reasons[0].probability)


def test_a_clear_ticket_is_tagged(small_tagger: Tagger) -> None:
    assert small_tagger.tag(*TRACKING).decision == "tagged"


def test_without_a_model_every_ticket_waits_for_a_person(without_model: Tagger) -> None:
    tag = without_model.tag(*TRACKING)
    assert (tag.reason, tag.confidence, tag.decision, tag.reasons) == ("other", 0.0, "undecided", ())
    assert tag.guard == (UNAVAILABLE_RULE,)
    assert (tag.language, tag.model) == ("en", "")


def test_without_a_model_the_rules_still_see_danger(without_model: Tagger) -> None:
    tag = without_model.tag("", "The plug caught fire and my lawyer will write to you")
    assert tag.reason == "safety_or_counterfeit"
    assert tag.autonomy == "human_only"
    assert tag.decision == "undecided"
    assert tag.guard[-1] == UNAVAILABLE_RULE
    assert len(tag.guard) > 2


@pytest.mark.parametrize("text", ["", " \n\t", "👍👍👍", "?!?!", "0123456789", "\x00", "<p></p>", "\u200b"])
def test_a_message_without_words_is_undecided(bold_tagger: Tagger, text: str) -> None:
    tag = bold_tagger.tag("", text)
    assert tag.decision == "undecided"
    assert tag.language == "und"


@pytest.mark.parametrize(
    "text",
    [
        "Waar blijft mijn pakket? Ik wacht al twee weken op de bestelling.",
        "Gdzie jest moja paczka? Czekam już od dwóch tygodni.",
        "Где моя посылка? Я жду уже две недели.",
        "荷物はどこですか。二週間待っています。",
    ],
)
def test_a_language_that_the_desk_does_not_work_in_is_undecided(bold_tagger: Tagger, text: str) -> None:
    assert bold_tagger.tag("", text).decision == "undecided"


def test_a_megabyte_is_tagged_in_reasonable_time(small_tagger: Tagger) -> None:
    start = time.process_time()
    tag = small_tagger.tag("subject " * 20_000, "Where is my parcel? " * 50_000)
    assert time.process_time() - start < 10
    assert tag.decision in ("tagged", "undecided")


def test_a_thank_you_is_closed_but_a_sarcastic_one_is_not(bold_tagger: Tagger) -> None:
    honest = bold_tagger.tag("", "Thank you so much, it all arrived, brilliant.")
    sarcastic = bold_tagger.tag("", "Thank you so much for nothing, what a disgrace, worst service ever")
    assert (honest.reason, honest.decision) == ("thanks", "tagged")
    assert honest.autonomy == "auto_close"
    assert (sarcastic.decision, sarcastic.sentiment) == ("undecided", "very_negative")


def test_the_guess_other_is_never_a_tag(bold_tagger: Tagger) -> None:
    tags = bold_tagger.tag_many([("", text) for text in ("Are you hiring?", "Which church is near your office?", "hm")])
    assert any(tag.reason == "other" for tag in tags)
    assert all(tag.decision == "undecided" for tag in tags if tag.reason == "other")


@pytest.mark.parametrize(
    "text",
    [
        "Where is my parcel? If it does not come I go to my lawyer.",
        "How do I return the charger? Smoke came out of it.",
        "I need an invoice for order 123-4567890-1234567, and you charged me twice",
        "thanks, but the plug gave me an electric shock",
        "Où est mon colis ? Sinon je dépose une réclamation de A à Z.",
        "Wo ist mein Paket? Sonst hören Sie von meinem Anwalt.",
    ],
)
def test_with_the_guard_raised_no_ordinary_reason_is_tagged(bold_tagger: Tagger, text: str) -> None:
    tag = bold_tagger.tag("", text)
    assert tag.guard
    assert tag.decision == "undecided" or tag.autonomy == "human_only"


def test_a_threat_in_the_quoted_history_raises_the_guard(bold_tagger: Tagger) -> None:
    quiet = "Where is my parcel?\n\nOn Mon, 2 Nov 2026 at 10:00, Shop <a@x.example> wrote:\n> We are sorry."
    assert bold_tagger.tag("", quiet).guard == ()
    loud = bold_tagger.tag("", quiet + "\n>> I will see you in court, my lawyer writes tomorrow.")
    assert loud.guard
    assert loud.decision == "undecided"


def test_the_models_half_of_the_guard_is_reported_too(small_tagger: Tagger) -> None:
    model = small_tagger.model
    assert model is not None
    nervous = replace(model, thresholds=replace(model.thresholds, human_only=1e-9))
    tagger = Tagger(small_tagger.taxonomy, small_tagger.guard, small_tagger.languages, nervous)
    tag = tagger.tag(*TRACKING)
    assert tag.guard == (MODEL_RULE,)
    assert tag.decision == "undecided"


def test_tags_come_in_the_order_of_the_tickets(small_tagger: Tagger) -> None:
    tickets = [TRACKING, ("", "I need an invoice with VAT"), ("", "thank you, it works"), ("", "")] * 3
    tags, vectors = small_tagger.tag_with_vectors(tickets)
    singles = [small_tagger.tag(*ticket) for ticket in tickets[:4]]
    assert [tag.reason for tag in tags] == [tag.reason for tag in singles] * 3
    assert [tag.confidence for tag in tags[:4]] == pytest.approx([tag.confidence for tag in singles], abs=1e-3)
    assert vectors is not None
    assert vectors.shape[0] == len(tickets)


def test_no_tickets_give_no_tags(small_tagger: Tagger, without_model: Tagger) -> None:
    assert small_tagger.tag_many([]) == []
    assert without_model.tag_many([]) == []


def test_a_label_outside_the_taxonomy_needs_an_agent(small_tagger: Tagger) -> None:
    model = small_tagger.model
    assert model is not None
    renamed = replace(model, labels=tuple(f"my_{label}" for label in model.labels))
    tag = Tagger(small_tagger.taxonomy, small_tagger.guard, small_tagger.languages, renamed).tag(*TRACKING)
    assert (tag.reason, tag.autonomy) == ("my_tracking_update", "assisted")
