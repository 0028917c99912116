"""Thresholds of answering: certified on half of the questions, measured on the other, never claimed without proof."""

import random
import shutil

import pytest

from bot.decision import STARTER_DECISION, DecisionSettings, starter_decision
from bot.threshold_choice import Judged, ThresholdError, choose, store
from classifier.datafile import DataFileError, load_yaml
from kb.questions import Part, Question


def questions(count: int) -> list[Question]:
    halves = list(Part)
    return [Question(id=f"q{n}", locale="en", part=halves[n % 2], question=f"{n}?", article="a") for n in range(count)]


def judged(count: int, wrong_below: float = 0.0, seed: int = 1) -> list[Judged]:
    """Answers whose probability is uniform; those below a limit are wrong."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        probability = draw.random()
        found.append(Judged(f"q{number}", "en", True, probability, probability >= wrong_below))
    return found


def test_enough_right_answers_certify_the_aim_and_the_other_half_tells_the_coverage():
    choice = choose(questions(2_000), judged(2_000, 0.3), 0.02, 0.05, 0.5, "m-1")
    assert choice.met
    assert 0.25 < choice.threshold < 0.36
    assert choice.test.coverage == pytest.approx(0.7, abs=0.06)
    assert choice.test.wrong_at_most < 0.03


def test_too_few_questions_certify_nothing_and_the_threshold_in_force_stays():
    choice = choose(questions(80), judged(80), 0.02, 0.05, 0.5, "m-1")
    assert not choice.met
    assert choice.threshold == 0.5
    assert choice.certificate.met is False
    assert choice.test.wrong == 0
    assert choice.test.wrong_at_most > 0.1, "none wrong of twenty is no proof of 2%"
    assert choice.to_json()["tried"][-1]["met"] is True


def test_questions_that_the_bot_leaves_to_people_lower_the_coverage_only():
    rows = [row if n % 4 else Judged(row.question, "en", False) for n, row in enumerate(judged(6_000, 0.3))]
    choice = choose(questions(6_000), rows, 0.02, 0.05, 0.5, "m-1")
    assert choice.met
    assert choice.test.coverage < 0.72


def test_without_any_answer_it_says_what_to_do():
    with pytest.raises(ThresholdError, match="train a model"):
        choose(questions(4), [Judged("q", "en", False)] * 4, 0.02, 0.05, 0.5, "")


def test_threshold_and_certificate_are_written_and_nothing_else_changes(tmp_path):
    path = shutil.copy(STARTER_DECISION, tmp_path / "decision.yaml")
    choice = choose(questions(2_000), judged(2_000, 0.3), 0.02, 0.05, 0.5, "m-1")
    for _ in range(2):
        store(choice, path)
        found = load_yaml(path, DecisionSettings)
        assert found.certificate == choice.certificate
        assert found.passage_threshold == pytest.approx(choice.threshold, abs=1e-4)
        same = {"passage_threshold": 0.0, "certificate": None}
        assert found.model_copy(update=same) == starter_decision().model_copy(update=same)
    path.write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(ThresholdError, match="no line passage_threshold"):
        store(choice, path)
    path.write_text("passage_threshold: 0.5\n", encoding="utf-8")
    with pytest.raises(DataFileError):
        store(choice, path)


def test_the_shipped_certificate_claims_no_more_than_its_figures():
    found = starter_decision().certificate
    assert found is not None
    assert found.met is (found.wrong_at_most <= found.aim) or not found.met
    assert found.wrong <= found.n
