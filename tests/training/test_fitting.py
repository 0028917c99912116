import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from training.corpus import Example, as_labelled
from training.fitting import FitError, Labelled, Settings, encode_all, fit


def data(labels: str, groups: str | None = None) -> Labelled:
    """One text per letter of ``labels``: equal letters have nearly equal texts."""
    texts = tuple(
        f"{'where is my parcel' if label == 'a' else 'thank you very much'} {i}" for i, label in enumerate(labels)
    )
    return Labelled(texts, tuple(labels), tuple(groups or map(str, range(len(labels)))))


@pytest.mark.parametrize(
    ("labels", "groups", "problem"),
    [
        ("", None, "at least two labels are needed to tell apart; found none"),
        ("aaa", None, "at least two labels are needed to tell apart; found a"),
        ("aab", None, "each label needs at least 2 examples; add examples of: b"),
        ("aabb", "xxyy", "all belong together"),
        ("aabb", "xxxx", "all belong together"),
    ],
)
def test_data_that_teach_nothing_are_refused_with_what_is_needed(
    encoder: Encoder, labels: str, groups: str | None, problem: str
) -> None:
    with pytest.raises(FitError, match=problem):
        fit(data(labels, groups), encoder)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(FitError, match="the same length"):
        Labelled(("a",), ("x", "y"), ("1", "2"))


def test_two_labels_are_enough(encoder: Encoder) -> None:
    model = fit(data("aaaabbbb"), encoder).model
    best = model.scores(["where is my parcel now", "thank you"]).probabilities.argmax(axis=1)
    assert [model.labels[i] for i in best] == ["a", "b"]


def test_few_examples_use_no_word_counts_and_many_do(encoder: Encoder) -> None:
    assert fit(data("ab" * 9), encoder).model.lexical is None
    assert fit(data("ab" * 10), encoder).model.lexical is not None


def test_a_label_of_one_group_is_learned_although_it_cannot_be_measured(encoder: Encoder) -> None:
    assert set(fit(data("aabbbbcccc", "1123456789"), encoder).model.labels) == {"a", "b", "c"}


def test_encoding_in_batches_tells_how_far_it_is(encoder: Encoder) -> None:
    seen: list[tuple[str, int, int]] = []
    texts = [str(number) for number in range(300)]
    vectors = encode_all(encoder, texts, lambda *step: seen.append(step))
    assert vectors.shape == (300, encoder.dimensions)
    assert [step[1:] for step in seen] == [(256, 300), (300, 300)]
    assert encode_all(encoder, []).shape == (0, encoder.dimensions)


@pytest.fixture(scope="module")
def fitted(learned: list[Example], encoder: Encoder, vectors: Vectors, human_only: frozenset[str]):
    settings = Settings(target_error=0.1, human_only=human_only)
    return fit(as_labelled(learned), encoder, settings, vectors=vectors)


def test_what_cross_validation_says_adds_up(fitted, learned: list[Example]) -> None:
    truth = np.array([example.reason for example in learned])
    best = np.array(fitted.model.labels)[fitted.out_of_fold.probabilities.argmax(axis=1)]
    assert (best == truth).mean() > 0.8
    assert 0 <= fitted.calibration_error < 0.15
    assert [guarantee.target for guarantee in fitted.guarantees] == [0.02, 0.1]
    assert fitted.model.thresholds.guarantee == fitted.guarantees[1]
    assert fitted.guarantees[1].met


def test_the_models_guard_finds_nearly_all_human_only_tickets(
    fitted, learned: list[Example], human_only: frozenset[str]
) -> None:
    dangerous = np.array([example.reason in human_only for example in learned])
    columns = np.isin(fitted.model.labels, list(human_only))
    danger = fitted.out_of_fold.probabilities[:, columns].sum(axis=1)
    raised = danger >= fitted.model.thresholds.human_only
    assert raised[dangerous].mean() >= 0.98
    assert raised[~dangerous].mean() < 0.5


def test_tickets_that_rules_raise_relax_the_models_half(
    fitted, learned: list[Example], encoder: Encoder, vectors: Vectors, human_only: frozenset[str]
) -> None:
    alarmed = np.array([example.reason in human_only for example in learned])
    settings = Settings(target_error=0.1, human_only=human_only)
    relaxed = fit(as_labelled(learned), encoder, settings, vectors=vectors, alarmed=alarmed).model.thresholds
    assert relaxed.human_only == float("inf")
    assert fitted.model.thresholds.human_only < 1


def test_without_human_only_reasons_the_models_half_is_silent(encoder: Encoder) -> None:
    assert fit(data("aaaabbbb"), encoder).model.thresholds.human_only == float("inf")


def test_one_percent_of_known_tickets_may_be_called_unfamiliar(fitted) -> None:
    unfamiliar = fitted.out_of_fold.familiarity < fitted.model.thresholds.familiarity
    assert 0 < unfamiliar.mean() <= 0.02
