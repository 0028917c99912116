import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import binomtest

from classifier.abstention import CERTAIN, control_risk, error_upper_bound
from classifier.calibration import (
    ConfidenceMap,
    expected_calibration_error,
    fit_confidence_map,
    fit_fusion,
    fuse,
    reliability,
)

TARGET, DELTA = 0.1, 0.05


@pytest.mark.parametrize(("errors", "n"), [(0, 59), (1, 100), (7, 80), (30, 31), (0, 1)])
@pytest.mark.parametrize("delta", [0.05, 0.1])
def test_the_bound_is_clopper_and_pearsons(errors: int, n: int, delta: float) -> None:
    exact = binomtest(errors, n, alternative="less").proportion_ci(1 - delta, method="exact").high
    assert error_upper_bound(errors, n, delta) == pytest.approx(exact)


def test_nothing_is_known_without_tickets_or_without_one_success() -> None:
    assert error_upper_bound(0, 0, 0.05) == 1.0
    assert error_upper_bound(5, 5, 0.05) == 1.0


def tickets(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and whether each was right: errors are rarer than the confidence says."""
    confidence = random.uniform(0.3, 1.0, n)
    return confidence, random.random(n) < confidence**0.5


def test_the_guarantee_holds_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    confidence, correct = tickets(random, 400_000)
    order = np.argsort(-confidence)
    falling, wrong_share = -confidence[order], np.cumsum(~correct[order]) / np.arange(1, len(order) + 1)
    violations = met = 0
    for _ in range(300):
        guarantee = control_risk(*tickets(random, 800), TARGET, DELTA)
        kept = int(np.searchsorted(falling, -guarantee.threshold, side="right"))
        met += guarantee.met
        violations += kept > 0 and wrong_share[kept - 1] > TARGET
    assert violations / 300 <= 0.08
    assert met / 300 > 0.9


def test_the_certificate_describes_the_data_that_it_was_computed_on() -> None:
    confidence, correct = tickets(np.random.default_rng(2), 2_000)
    guarantee = control_risk(confidence, correct, TARGET, DELTA)
    tagged = confidence >= guarantee.threshold
    assert guarantee.met
    assert guarantee.coverage == pytest.approx(tagged.mean())
    assert guarantee.error == pytest.approx((~correct[tagged]).mean())
    assert guarantee.n == 2_000


def test_tickets_of_equal_confidence_are_kept_or_left_together() -> None:
    confidence = np.repeat([0.9, 0.8], [400, 1_200])
    correct = np.ones(1_600, dtype=bool)
    correct[1_000:] = False
    guarantee = control_risk(confidence, correct, TARGET, DELTA)
    assert guarantee.threshold == 0.9
    assert guarantee.coverage == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("confidence", "correct"),
    [
        (np.empty(0), np.empty(0, dtype=bool)),
        (np.linspace(0.5, 1, 10), np.ones(10, dtype=bool)),
        (np.linspace(0.5, 1, 500), np.zeros(500, dtype=bool)),
    ],
    ids=["nothing", "too few", "all wrong"],
)
def test_coverage_is_zero_where_the_data_cannot_show_it(confidence: np.ndarray, correct: np.ndarray) -> None:
    guarantee = control_risk(confidence, correct, 0.05)
    assert not guarantee.met
    assert (guarantee.threshold, guarantee.coverage) == (CERTAIN, 0.0)


def test_a_stricter_target_tags_less() -> None:
    confidence, correct = tickets(np.random.default_rng(3), 4_000)
    strict, loose = (control_risk(confidence, correct, target) for target in (0.08, 0.2))
    assert strict.threshold > loose.threshold
    assert strict.coverage < loose.coverage


def heads(n: int = 4_000, k: int = 5) -> tuple[list[np.ndarray], np.ndarray]:
    """Two overconfident heads with independent noise, and the true labels."""
    random = np.random.default_rng(4)
    labels = random.integers(0, k, n)
    signal = np.eye(k)[labels] * 2.0
    return [log_softmax(3 * (signal + random.normal(0, noise, (n, k))), axis=1) for noise in (1.0, 1.4)], labels


def loss(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def test_fusion_is_better_than_each_head_even_when_tempered_alone() -> None:
    parts, labels = heads()
    weights = fit_fusion(parts, labels)
    fused = fuse(parts, weights)
    assert min(weights) >= 0
    np.testing.assert_allclose(np.exp(fused).sum(axis=1), 1)
    for part in parts:
        assert loss(fused, labels) < loss(part, labels)
        assert loss(fused, labels) < loss(fuse([part], fit_fusion([part], labels)), labels)


def test_fusion_ignores_a_head_that_knows_nothing() -> None:
    parts, labels = heads()
    noise = log_softmax(np.random.default_rng(5).normal(0, 3, parts[0].shape), axis=1)
    good, useless = fit_fusion([parts[0], noise], labels)
    assert useless < 0.05 * good


def test_fusion_makes_confidence_mean_what_it_says() -> None:
    parts, labels = heads()

    def error(log_probabilities: np.ndarray) -> float:
        best = log_probabilities.argmax(axis=1)
        return expected_calibration_error(np.exp(log_probabilities.max(axis=1)), best == labels)

    assert error(fuse(parts, fit_fusion(parts, labels))) < 0.03 < error(parts[1])


def test_calibration_error_of_known_figures() -> None:
    confidence = np.array([0.6, 0.6, 0.6, 0.6, 0.6, 0.9, 0.9, 0.9, 0.9, 0.9])
    correct = np.array([True, True, True, False, False, True, True, True, True, False])
    # Bin of 0.6: accuracy 0.6, no gap; bin of 0.9: accuracy 0.8, gap 0.1; half of the tickets each.
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.05)
    assert np.isnan(expected_calibration_error(np.empty(0), np.empty(0, dtype=bool)))


def overconfident(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences near 1 that are right less often than they say, in a way no temperature mends."""
    confidence = random.beta(5, 1, n)
    return confidence, random.random(n) < confidence**1.5


@pytest.fixture(scope="module")
def drawn() -> ConfidenceMap:
    random = np.random.default_rng(1)
    confidence, correct = overconfident(random, 4_000)
    return fit_confidence_map(confidence, correct, np.array_split(random.permutation(4_000), 5))[0]


def test_a_map_is_drawn_where_confidence_misleads(drawn: ConfidenceMap) -> None:
    assert drawn.method != "temperature"
    confidence, correct = overconfident(np.random.default_rng(2), 20_000)
    assert expected_calibration_error(drawn(confidence), correct) < expected_calibration_error(confidence, correct) / 2


def test_confidence_that_is_right_already_stays(drawn: ConfidenceMap) -> None:
    random = np.random.default_rng(3)
    confidence = random.uniform(0.3, 1, 4_000)
    chosen, losses = fit_confidence_map(
        confidence, random.random(4_000) < confidence, np.array_split(random.permutation(4_000), 5)
    )
    assert losses[chosen.method] <= losses["temperature"]
    grid = np.linspace(0.4, 0.95, 20)
    assert np.abs(chosen(grid) - grid).max() < 0.08


def test_calibrated_rows_keep_their_order_and_sum_to_one(drawn: ConfidenceMap) -> None:
    rows = np.random.default_rng(4).dirichlet(np.full(6, 0.3), 2_000)
    calibrated = drawn.apply(rows)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)
    np.testing.assert_array_equal(calibrated.argmax(axis=1), rows.argmax(axis=1))
    assert (calibrated >= 0).all()
    assert drawn.apply(rows[:0]).shape == (0, 6)
    np.testing.assert_allclose(drawn.apply(np.array([[1.0, 0.0]])), [[1.0, 0.0]])


def test_the_reliability_diagram_counts_every_ticket_once() -> None:
    confidence, correct = overconfident(np.random.default_rng(5), 95)
    points = reliability(confidence, correct)
    assert sum(n for _, _, n in points) == 95
    assert [said for said, _, _ in points] == sorted(said for said, _, _ in points)
    assert reliability(confidence[:0], correct[:0]) == []
