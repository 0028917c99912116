"""Intervals against scipy and against simulation: they hold the truth about as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from desk.intervals import mean_interval, nps_interval, poisson, quantile_interval, rate_ratio, share_difference
from desk.metrics.definitions import Metric
from desk.metrics.figures import Tally, figure


@given(n=st.integers(1, 400), quantile=st.sampled_from([0.5, 0.9]))
def test_the_interval_of_a_quantile_is_the_binomial_one(n, quantile):
    low, high = stats.binom.ppf([0.025, 0.975], n, quantile)
    expected = (low, high + 1) if low >= 1 and high + 1 <= n else None
    assert quantile_interval(np.arange(1.0, n + 1), quantile) == expected


def test_a_median_needs_six_values():
    assert quantile_interval(np.arange(5.0), 0.5) is None
    assert quantile_interval(np.arange(6.0), 0.5) == (0.0, 5.0)


@given(count=st.integers(0, 5000))
def test_the_interval_of_a_count_is_garwoods(count):
    low, high = poisson(count)
    assert stats.poisson.sf(count - 1, low) == pytest.approx(0.025 if count else 1.0, abs=1e-6)
    assert stats.poisson.cdf(count, high) == pytest.approx(0.025, abs=1e-6)


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(1).exponential(300, 40)
    expected = stats.t.interval(0.95, 39, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)
    assert mean_interval(np.array([3.0])) is None
    assert mean_interval(np.array([0.0, 100.0]))[0] == 0.0


def test_newcombes_own_example_of_a_difference():
    assert share_difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert share_difference(9, 10, 3, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


@given(n=st.integers(1, 300), data=st.data())
def test_the_nps_lies_within_its_interval_and_its_scale(n, data):
    promoters = data.draw(st.integers(0, n))
    detractors = data.draw(st.integers(0, n - promoters))
    low, high = nps_interval(promoters, detractors, n)
    assert -1 <= low <= high <= 1
    assert low - 0.02 <= (promoters - detractors) / n <= high + 0.02


def test_a_ratio_of_rates_takes_the_days_into_account():
    low, high = rate_ratio(20, 10, 10, 10)
    assert rate_ratio(20, 20, 10, 10) == pytest.approx((low / 2, high / 2))
    assert rate_ratio(0, 10, 10, 10)[0] == 0.0


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(7)
    held = {"median": 0, "p90": 0, "mean": 0, "nps": 0, "csat": 0}
    truth = {"median": 3600 * np.log(2), "p90": 3600 * np.log(10), "mean": 3600.0, "nps": 30.0, "csat": 0.8}
    rounds, n = 400, 150
    for _ in range(rounds):
        frt = figure(Metric.FRT, Tally(values=random.exponential(3600, n).tolist()))
        promoters, _, detractors = random.multinomial(n, [0.5, 0.3, 0.2])
        found = {
            **frt.spread,
            "nps": figure(Metric.NPS, Tally(n, int(promoters), int(detractors))).estimate,
            "csat": figure(Metric.CSAT, Tally(n, int(random.binomial(n, 0.8)))).estimate,
        }
        for name, value in truth.items():
            held[name] += found[name].low <= value <= found[name].high
    assert {name: 0.91 <= times / rounds <= 0.99 for name, times in held.items()} == dict.fromkeys(truth, True)


@pytest.mark.parametrize("metric", list(Metric))
def test_nothing_measured_is_no_figure_rather_than_zero(metric):
    empty = figure(metric, Tally())
    assert empty.n == 0
    assert empty.value == (0.0 if metric is Metric.VOLUME else None)
    assert (empty.to_json()["low"] is None) == (metric is not Metric.VOLUME)
