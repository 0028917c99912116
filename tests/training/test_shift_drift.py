"""Whether tickets read differently, told apart from whether their reasons have other shares: real tickets."""

import numpy as np
import pytest

from classifier.encoders import Encoder, Vectors
from training.corpus import Example
from training.shift.drift import compare_unfamiliar, measure_drift

REASONS = ("tracking_update", "return_request", "product_question")
EACH = 60


@pytest.fixture(scope="module")
def spoken(corpus: list[Example], encoder: Encoder) -> dict[str, Vectors]:
    """Vectors of so many tickets of each reason, by language, reason after reason."""
    found = {}
    for locale in ("en", "de"):
        chosen = [
            [example.text for example in corpus if (example.locale, example.reason) == (locale, reason)][:EACH]
            for reason in REASONS
        ]
        assert [len(texts) for texts in chosen] == [EACH] * len(REASONS)
        found[locale] = encoder.encode([text for texts in chosen for text in texts])
    return found


def rows_of(*counts: slice) -> np.ndarray:
    return np.concatenate(
        [np.arange(len(REASONS) * EACH)[i * EACH : (i + 1) * EACH][part] for i, part in enumerate(counts)]
    )


WHICH = np.repeat(np.arange(len(REASONS)), EACH)


def test_halves_of_the_same_tickets_do_not_differ(spoken: dict[str, Vectors]) -> None:
    english, random = spoken["en"], np.random.default_rng(1)
    p_values = []
    for _ in range(20):
        order = random.permutation(len(english))
        before, after = order[: len(order) // 2], order[len(order) // 2 :]
        drift = measure_drift(english[before], english[after], WHICH[before], WHICH[after])
        p_values.append((drift.p, drift.p_within))
    assert (np.array(p_values) < 0.05).mean() <= 0.15
    assert 0.2 < np.mean(p_values) < 0.8


def test_other_shares_of_reasons_are_no_drift_within_reasons(spoken: dict[str, Vectors]) -> None:
    english = spoken["en"]
    before = rows_of(slice(0, 50, 1), slice(0, 10), slice(0, 10))
    after = rows_of(slice(50, None), slice(10, None), slice(10, None))
    drift = measure_drift(english[before], english[after], WHICH[before], WHICH[after])
    assert drift.p < 0.01
    assert drift.p_within > 0.01
    assert drift.n == len(english)


def test_another_language_is_drift_within_reasons(spoken: dict[str, Vectors]) -> None:
    drift = measure_drift(spoken["en"], spoken["de"], WHICH, WHICH)
    assert drift.p_within < 0.01
    assert drift.mmd2 > 0


def test_shares_of_unfamiliar_tickets_have_intervals() -> None:
    before, after = np.array([True] * 5 + [False] * 95), np.array([True] * 30 + [False] * 70)
    found = compare_unfamiliar(before, after)
    assert (found.baseline, found.current) == (0.05, 0.3)
    assert found.baseline_low < 0.05 < found.baseline_high
    assert 0 < found.change_low < 0.25 < found.change_high
