import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from classifier.model import ReasonModel
from training.corpus import Example, as_labelled
from training.evaluation import Predictions, alarms, evaluate, predict
from training.fitting import Settings, fit
from training.latency import Latency, measure_latency
from training.promotion import CALIBRATION_TICKETS, NOISE_TICKETS, SLOWER, judge
from training.retraining.verdict_files import verdict_from_json

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
    assert found.per_channel["chat"].n == 10
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
    assert alarms([example("a", body=text) for text in texts])[0].tolist() == [True, False, True]
    assert alarms([])[0].shape == (0,)


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
    assert verdict.because[0].endswith(f"is not above the champion's {verdict.challenger.macro_f1:.4f}")
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


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, small_model: ReasonModel):
    """A verdict over given predictions: a challenger that wins two frozen tickets, and whatever is said of the rest."""

    def verdict(
        newest: tuple[str, str, str] = ("", "", ""),
        frozen: tuple[str, str, str] = ("a" * 20 + "b" * 20, "a" * 16 + "b" * 24, "a" * 18 + "b" * 22),
        channels: str = "",
        latency: Latency | None = None,
        human_only: frozenset[str] = frozenset(),
        confidence: float = 0.9,
    ):
        answers = []
        for truth, champion, challenger in (frozen, newest):
            tagged = "1" * len(truth)
            sure = confidence if truth == newest[0] else 0.9
            answers += [predictions(truth, challenger, tagged, confidence=sure), predictions(truth, champion, tagged)]
        turn = iter(answers)
        monkeypatch.setattr("training.promotion.predict", lambda *_: next(turn))
        sets = [
            [
                replace(example(label, body=str(i)), channel=(channels or "c" * 99)[i % 99])
                for i, label in enumerate(part[0])
            ]
            for part in (frozen, newest)
        ]
        return judge(small_model, small_model, sets[0], human_only, newest=sets[1], latency=latency)

    return verdict


def test_a_challenger_that_is_worse_on_the_newest_quarter_is_refused(judged) -> None:
    assert judged().promote
    truth = "a" * 20 + "b" * 20
    verdict = judged(newest=(truth, truth, "a" * 20 + "b" * 12 + "a" * 8))
    assert not verdict.promote
    assert [line.split(" (p")[0] for line in verdict.because] == [
        "newest quarter: b F1 falls from 1.000 to 0.750",
        "newest quarter: language en: accuracy falls from 1.000 to 0.800",
        "newest quarter: channel c: accuracy falls from 1.000 to 0.800",
        "newest quarter: accuracy falls from 1.000 to 0.800",
    ]
    assert judged(newest=(truth, truth, "a" * 20 + "b" * 19 + "a")).promote


def test_a_human_only_reason_is_guarded_on_the_newest_quarter_too(judged) -> None:
    newest = "a" * 20 + "b" * 20, "a" * 20 + "b" * 20, "a" * 20 + "b" * 18 + "aa"
    frozen = "a" * 20 + "b" * 20, "b" * 4 + "a" * 16 + "b" * 20, "b" * 2 + "a" * 18 + "b" * 20
    assert judged(newest=newest, frozen=frozen).promote
    (line,) = judged(newest=newest, frozen=frozen, human_only=frozenset("b")).because
    assert line == "newest quarter: b (human-only) recall falls from 1.000 to 0.900: 2 of 20 tickets lost, 0 won"


def test_a_channel_that_gets_worse_refuses_though_the_whole_gets_better(judged) -> None:
    truth = "a" * 30 + "b" * 30
    # the champion is wrong on tickets 40 to 59, the challenger on 0 to 7, which came by another channel
    frozen = truth, "a" * 30 + "b" * 10 + "a" * 20, "b" * 8 + "a" * 22 + "b" * 30
    verdict = judged(frozen=frozen, channels="x" * 8 + "y" * 91)
    assert verdict.challenger.macro_f1 > verdict.champion.macro_f1
    assert "channel x: accuracy falls from 1.000 to 0.000 (p = 0.004)" in verdict.because
    assert judged(frozen=frozen).because[0].startswith("macro-F1 rises")


def test_calibration_on_the_newest_quarter_counts_from_so_many_tickets_on(judged) -> None:
    few, many = CALIBRATION_TICKETS - 1, CALIBRATION_TICKETS
    assert judged(newest=("a" * few,) * 3, confidence=0.2).promote
    (line,) = judged(newest=("a" * many,) * 3, confidence=0.2).because
    assert line.startswith("newest quarter: calibration error 0.800 is worse than")


@pytest.mark.parametrize("times", [SLOWER - 0.1, SLOWER + 0.1])
def test_a_slow_challenger_is_refused(judged, times: float) -> None:
    verdict = judged(latency=Latency(10.0, 10.0 * times))
    assert verdict.promote == (times <= SLOWER)
    assert verdict.promote or verdict.because[0].startswith(
        "one ticket takes 16.0 ms, 1.6 times the champion's 10.0 ms"
    )


def test_latency_is_that_of_both_models_on_the_same_tickets(small_model: ReasonModel) -> None:
    asked: list[str] = []

    class Slow:
        name, dimensions = small_model.encoder.name, small_model.encoder.dimensions

        def encode(self, texts):
            asked.extend(texts)
            for _ in range(8):
                small_model.encoder.encode(texts)
            return small_model.encoder.encode(texts)

    texts = [f"where is parcel {letter}" for letter in "abcdefghij"]
    found = measure_latency(small_model, replace(small_model, encoder=Slow()), texts)
    assert found.ratio > 2
    assert set(asked) == set(texts)


def test_a_verdict_survives_the_way_through_json(judged) -> None:
    truth = "a" * 20 + "b" * 20
    verdict = judged(newest=(truth, truth, truth), latency=Latency(1.0, 2.0))
    assert verdict_from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    first = replace(verdict, champion=None, newest=None, latency=None)
    assert verdict_from_json(json.loads(json.dumps(first.to_json()))) == first
