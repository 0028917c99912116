"""Where the guard's model raises and overrules: chosen on held-out tickets, within what may be missed."""

from dataclasses import replace

import numpy as np
import pytest

from classifier.abstention import error_upper_bound
from classifier.danger import DangerHead
from classifier.model import ReasonModel
from classifier.tagger import Tagger
from training.corpus import Example
from training.danger import (
    DELTA,
    HUMAN_ONLY_RECALL,
    MIN_DANGEROUS,
    OVERRULED_SHARE,
    Evidence,
    certified_misses,
    fit_danger,
    recall_threshold,
)
from training.evaluation import alarms, predict

N = 4_000


def evidence(n: int = N, hard: float = 1.0, seed: int = 1) -> Evidence:
    """A fifth is dangerous; rules hear two thirds of it and a tenth of the rest, half of both by a mention."""
    rng = np.random.default_rng(seed)
    dangerous = rng.random(n) < 0.2
    whole, part = (1 / (1 + np.exp(-rng.normal(np.where(dangerous, 2, -2), hard))) for _ in range(2))
    alarmed = rng.random(n) < np.where(dangerous, 0.66, 0.1)
    return Evidence(whole, part, dangerous, alarmed, alarmed & (rng.random(n) < 0.5))


def folds(n: int = N) -> list[np.ndarray]:
    return np.array_split(np.random.default_rng(2).permutation(n), 5)


@pytest.mark.parametrize("hard", [0.8, 1.5, 3.0])
def test_rules_and_model_together_hear_what_they_must_on_other_tickets(hard: float) -> None:
    other = evidence(40_000, hard, seed=0)
    recalls = []
    for seed in range(1, 9):
        head = fit_danger(evidence(hard=hard, seed=seed), folds())
        assert head is not None
        assert 0 < head.overruled <= head.threshold
        danger = head.probabilities(other.whole, other.part)
        standing = other.alarmed & ~(other.overrulable & (danger < head.overruled))
        heard = standing | (danger >= head.threshold)
        recalls.append(heard[other.dangerous].mean())
        overruled = other.dangerous & other.alarmed & ~standing
        assert overruled.sum() / other.dangerous.sum() <= 2 * OVERRULED_SHARE * (1 - HUMAN_ONLY_RECALL)
    # Some 800 dangerous tickets were held out: one recall varies by half a point, their mean hardly.
    assert min(recalls) > HUMAN_ONLY_RECALL - 0.02
    assert np.mean(recalls) == pytest.approx(HUMAN_ONLY_RECALL, abs=0.005)


def test_overruling_spares_false_alarms() -> None:
    seen, other = evidence(), evidence(40_000, seed=3)
    head = fit_danger(seen, folds())
    assert head is not None
    ordinary = other.alarmed & ~other.dangerous & other.overrulable
    spared = head.probabilities(other.whole, other.part)[ordinary] < head.overruled
    assert spared.mean() > 0.5


def test_where_no_rule_only_mentions_something_none_is_overruled() -> None:
    seen = evidence()
    for none in (None, np.zeros(N, dtype=bool)):
        head = fit_danger(Evidence(seen.whole, seen.part, seen.dangerous, seen.alarmed, none), folds())
        assert head is not None
        assert head.overruled == 0.0


def test_too_few_dangerous_tickets_give_no_head() -> None:
    seen = evidence()
    for kept in (MIN_DANGEROUS - 1, 0):
        dangerous = seen.dangerous & (np.cumsum(seen.dangerous) <= kept)
        assert fit_danger(Evidence(seen.whole, seen.part, dangerous, seen.alarmed, seen.overrulable), folds()) is None


def test_the_threshold_misses_as_many_as_may_be_missed_and_not_one_more() -> None:
    danger, dangerous = np.arange(1, 101) / 100, np.ones(100, dtype=bool)
    assert recall_threshold(danger, dangerous, None) == pytest.approx(0.03)
    assert recall_threshold(danger, dangerous, None, 1) == pytest.approx(0.02)
    assert recall_threshold(danger, dangerous, None, 0) == pytest.approx(0.01)
    assert recall_threshold(danger, dangerous, danger < 0.985) == float("inf")
    assert recall_threshold(danger, ~dangerous, None) == float("inf")


@pytest.mark.parametrize("n", [0, 100, 149, 300, 2_000])
def test_misses_are_certified_by_the_exact_bound(n: int) -> None:
    most = certified_misses(n)
    assert most == 0 or error_upper_bound(most, n, DELTA) <= 1 - HUMAN_ONLY_RECALL
    assert error_upper_bound(most + 1, n, DELTA) > 1 - HUMAN_ONLY_RECALL


def test_evaluation_raises_and_overrules_as_the_tagger_does(
    small_model: ReasonModel, small_tagger: Tagger, small_examples: list[Example], human_only: frozenset[str]
) -> None:
    thresholds = replace(small_model.thresholds, familiarity=0.0)
    model = replace(small_model, thresholds=thresholds, danger=DangerHead(0.0, 1.0, 0.5, 0.5, 0.3))
    tagger = Tagger(small_tagger.taxonomy, small_tagger.guard, small_tagger.languages, model)
    extra = ["Please send the invoice to our law firm.", "It exploded and burned my hand.", "Is this dress fake fur?"]
    asked = [*small_examples, *(Example(text, "thanks", "en", "chat", "", text, text) for text in extra)]
    tags = tagger.tag_many([(example.subject, example.body) for example in asked])
    assert predict(model, asked, human_only).danger.tolist() == [bool(tag.guard) for tag in tags]
    raised, overrulable = alarms(asked)
    overruled = [bool(alarm) and not tag.guard for alarm, tag in zip(raised, tags, strict=True)]
    assert any(overruled)
    assert not any(np.array(overruled) & ~overrulable)
