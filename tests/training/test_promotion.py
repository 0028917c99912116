import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from classifier.model import ReasonModel
from training.corpus import Example, as_labelled
from training.evaluation import Predictions, evaluate, predict, rule_alarms
from training.fitting import Settings, fit
from training.promotion import NOISE_TICKETS, judge

SAFETY = "safety_or_counterfeit"


def example(reason: str, locale: str = "en", body: str = "text") -> Example:
    return Example(f"{reason}-{body}", reason, locale, "chat", "", body, body)


def predictions(truth: str, best: str, tagged: str, danger: str = "", confidence: float = 0.8) -> Predictions:
    n = len(truth)
    return Predictions(
        np.array(list(truth)),
        np.array(list(best)),
        np.full(n, confidence),
        np.array([mark == "1" for mark in tagged]),
        np.array([mark == "1" for mark in danger or "0" * n]),
        0.5,
    )


def test_known_answers_give_known_figures(small_model: ReasonModel) -> None:
    truth, best = "aaaabbbbcc", "aaabbbbacc"
    examples = [example(label, "en" if i < 5 else "fr") for i, label in enumerate(truth)]
    found = evaluate(small_model, examples, frozenset("b"), predictions(truth, best, "1101111000", "0001111000"))
    assert (found.n, found.accuracy, found.coverage, found.seconds) == (10, 0.8, 0.6, 0.5)
    assert found.selective_error == pytest.approx(1 / 6)
    assert found.macro_f1 == pytest.approx((0.75 + 0.75 + 1) / 3)
    assert found.ece == pytest.approx((8 * 0.2 + 2 * 0.8) / 10)
    a = found.per_label["a"]
    assert (a.precision, a.recall, a.f1, a.n, a.coverage) == (0.75, 0.75, 0.75, 4, 0.75)
    assert a.selective_error == pytest.approx(1 / 3)
    assert found.per_label["c"].selective_error is None
    assert (found.per_language["en"].accuracy, found.per_language["fr"].n) == (0.8, 5)
    assert found.guard_recall == 0.75
    assert found.guard_false_alarms == pytest.approx(1 / 6)
    assert sorted(found.confusions) == [("a", "b", 1), ("b", "a", 1)]


def test_figures_that_cannot_be_had_are_none(small_model: ReasonModel) -> None:
    found = evaluate(small_model, [example("a"), example("b")], frozenset(), predictions("ab", "ab", "00"))
    assert (found.accuracy, found.coverage, found.confusions) == (1.0, 0.0, [])
    assert found.selective_error is found.guard_recall is found.guard_false_alarms is None


def test_the_public_form_has_the_public_keys(small_model: ReasonModel) -> None:
    found = evaluate(small_model, [example("a"), example("b")], frozenset(), predictions("ab", "aa", "10"))
    data = json.loads(json.dumps(found.to_json()))
    public = {"accuracy", "macro_f1", "ece", "per_label", "per_language", "coverage", "selective_error", "seconds"}
    assert public <= set(data)


def test_predictions_tag_as_the_tagger_would(small_model: ReasonModel, human_only: frozenset[str]) -> None:
    open_model = replace(
        small_model,
        thresholds=replace(
            small_model.thresholds,
            guarantee=replace(small_model.thresholds.guarantee, threshold=0.0),
            familiarity=0.0,
            human_only=2.0,
        ),
    )
    texts = {
        "tracking_update": "Where is my parcel? The tracking has not moved.",
        "return_request": "How do I return it? My lawyer will write to you otherwise.",
        SAFETY: "The plug caught fire and smoke came out",
    }
    found = predict(open_model, [example(reason, body=body) for reason, body in texts.items()], human_only)
    assert found.danger.tolist() == [False, True, True]
    assert found.tagged[0]
    assert not found.tagged[1] or found.best[1] in human_only
    assert found.tagged[2]
    assert found.best[2] == SAFETY


def test_rule_alarms_are_those_of_the_guard() -> None:
    texts = ["my lawyer will write to you", "where is my parcel", "Il y a de la fumée qui sort de la prise"]
    assert rule_alarms([example("a", body=text) for text in texts]).tolist() == [True, False, True]
    assert rule_alarms([]).shape == (0,)


@pytest.fixture(scope="module")
def fit_on(encoder: Encoder, vectors: Vectors, human_only: frozenset[str]):
    def fit_labels(examples: list[Example]) -> ReasonModel:
        return fit(as_labelled(examples), encoder, Settings(human_only=human_only), vectors=vectors).model

    return fit_labels


@pytest.fixture(scope="module")
def good(fit_on, learned: list[Example]) -> ReasonModel:
    return fit_on(learned)


@pytest.fixture(scope="module")
def blind_to_danger(fit_on, learned: list[Example]) -> ReasonModel:
    """Fitted on labels in which safety tickets were given any other reason."""
    others = sorted({e.reason for e in learned} - {SAFETY})
    shuffled = np.random.default_rng(7).choice(others, len(learned))
    # Two of them keep their label, so that the model still knows the reason's name.
    kept = {id(e) for e in [e for e in learned if e.reason == SAFETY][:2]}
    return fit_on(
        [
            replace(e, reason=str(shuffled[i])) if e.reason == SAFETY and id(e) not in kept else e
            for i, e in enumerate(learned)
        ]
    )


def test_the_first_model_serves(good: ReasonModel, frozen: list[Example], human_only: frozenset[str]) -> None:
    verdict = judge(None, good, frozen, human_only)
    assert verdict.promote
    assert verdict.because == ("there is no champion yet",)
    assert verdict.champion is None
    assert verdict.challenger.accuracy > 0.8


def test_a_challenger_that_lost_a_human_only_reason_is_refused_by_name(
    good: ReasonModel, blind_to_danger: ReasonModel, frozen: list[Example], human_only: frozenset[str]
) -> None:
    verdict = judge(good, blind_to_danger, frozen, human_only)
    assert not verdict.promote
    assert any(line.startswith(f"{SAFETY} (human-only) recall falls from") for line in verdict.because)
    assert any(line.startswith("macro-F1") for line in verdict.because)
    (lost,) = [line for line in verdict.reasons if line.reason == SAFETY]
    assert lost.challenger_recall < lost.champion_recall
    assert lost.p_worse < 0.05
    assert lost.n == sum(e.reason == SAFETY for e in frozen)


def test_a_better_challenger_serves(
    good: ReasonModel, blind_to_danger: ReasonModel, frozen: list[Example], human_only: frozenset[str]
) -> None:
    verdict = judge(blind_to_danger, good, frozen, human_only)
    assert verdict.promote
    assert verdict.because[0].startswith("macro-F1 rises from")
    json.dumps(verdict.to_json())


def test_an_equal_challenger_is_refused(good: ReasonModel, frozen: list[Example], human_only: frozenset[str]) -> None:
    verdict = judge(good, good, frozen, human_only)
    assert not verdict.promote
    assert verdict.because[0].endswith(f"is not above the champion's {verdict.challenger.macro_f1:.3f}")
    assert {line.p_worse for line in verdict.reasons} == {1.0}


def test_a_challenger_that_is_sure_of_everything_is_refused_for_its_calibration(
    blind_to_danger: ReasonModel, good: ReasonModel, frozen: list[Example], human_only: frozenset[str]
) -> None:
    boastful = replace(blind_to_danger, fusion=tuple(50 * weight for weight in blind_to_danger.fusion))
    verdict = judge(good, boastful, frozen, human_only)
    assert any(line.startswith("calibration error") for line in verdict.because)


@pytest.mark.parametrize("lost", [NOISE_TICKETS, NOISE_TICKETS + 1])
def test_a_human_only_reason_may_lose_a_borderline_ticket_and_no_more(
    monkeypatch: pytest.MonkeyPatch, small_model: ReasonModel, lost: int
) -> None:
    truth = "a" * 20 + "b" * 20
    champion = predictions(truth, "a" * 20 + "b" * 10 + "a" * 10, "1" * 40)
    challenger = predictions(truth, "b" * lost + "a" * (20 - lost) + "b" * 20, "1" * 40)
    judged = iter([challenger, champion])
    monkeypatch.setattr("training.promotion.predict", lambda *_: next(judged))
    frozen = [example(label, body=str(i)) for i, label in enumerate(truth)]
    verdict = judge(small_model, small_model, frozen, frozenset("a"))
    assert verdict.promote == (lost == NOISE_TICKETS)
    assert (verdict.reasons[0].lost, verdict.reasons[0].won) == (lost, 0)
    assert verdict.reasons[0].p_worse > 0.05
