import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from desk.inbox import Desk
from training.shift import ShiftError, compare_periods, newcombe, parse_period

Fill = Callable[..., None]
Q1, Q2 = parse_period("2026Q1"), parse_period("2026Q2")
FEBRUARY, MAY = datetime(2026, 2, 3, 12, tzinfo=UTC), datetime(2026, 5, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026Q1", date(2026, 1, 1), date(2026, 4, 1)),
        ("2026-q4", date(2026, 10, 1), date(2027, 1, 1)),
        ("2026-02", date(2026, 2, 1), date(2026, 3, 1)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2026-01-15..2026-02-01", date(2026, 1, 15), date(2026, 2, 1)),
    ],
)
def test_periods_in_three_forms(text: str, start: date, end: date) -> None:
    period = parse_period(text)
    assert (period.label, period.start, period.end) == (text, start, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026Q5",
        "2026-13",
        "2026-00",
        "2026-02-30..2026-03-01",
        "9999-12",
        "0000Q1",
        "last month",
        " 2026Q1",
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ShiftError, match=f"'{text}' is no period"):
        parse_period(text)


@pytest.mark.parametrize("text", ["2026-02-01..2026-02-01", "2026-02-02..2026-02-01"])
def test_a_period_must_end_after_it_starts(text: str) -> None:
    with pytest.raises(ShiftError, match="ends before it starts; the end is exclusive"):
        parse_period(text)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_intervals_are_those_that_newcombe_published(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10: first share minus second."""
    assert newcombe(*second, *first) == pytest.approx((low, high), abs=5e-5)


@pytest.fixture
def filled(desk: Desk, fill: Fill) -> Desk:
    """Tracking falls from 60 of 100 to 30 of 100, refunds rise, invoices stay, some are undecided."""
    for at, tracking, refunds in ((FEBRUARY, 60, 30), (MAY, 30, 60)):
        fill("tracking_update", tracking, at, channel="amazon")
        fill("refund_status", refunds, at, channel="amazon")
        fill("invoice_request", 10, at, channel="ebay")
        fill(None, 7, at, channel="amazon")
    fill("gift_options", 500, datetime(2026, 7, 1, tzinfo=UTC))
    return desk


def test_known_counts_give_known_shares(filled: Desk) -> None:
    shift = compare_periods(filled, Q1, Q2)
    assert (shift.baseline_total, shift.current_total) == (107, 107)
    assert (shift.baseline_undecided, shift.current_undecided) == (7, 7)
    lines = {line.reason: line for line in shift.reasons}
    assert set(lines) == {"tracking_update", "refund_status", "invoice_request"}
    tracking = lines["tracking_update"]
    assert (tracking.baseline_count, tracking.current_count) == (60, 30)
    assert (tracking.baseline_share, tracking.current_share) == (0.6, 0.3)
    assert (tracking.baseline_rank, tracking.current_rank) == (1, 2)
    assert tracking.change == pytest.approx(-0.3)
    assert tracking.low < -0.3 < tracking.high < 0
    assert tracking.p == pytest.approx(3.2e-5, rel=0.2)
    assert tracking.significant
    assert not lines["invoice_request"].significant
    assert lines["invoice_request"].p == pytest.approx(1)
    assert shift.reasons[-1].reason == "invoice_request"
    assert shift.top_five_kept == 3


def test_the_comparison_reads_as_a_sentence(filled: Desk) -> None:
    sentence = compare_periods(filled, Q1, Q2).sentence
    assert "tracking_update -30.0 points" in sentence
    assert "refund_status +30.0 points" in sentence
    assert "invoice_request" not in sentence
    assert compare_periods(filled, Q1, Q1).sentence == (
        "No change is larger than chance; 3 of the top five stayed in the top five."
    )


def test_one_channel_is_compared_by_itself(filled: Desk) -> None:
    shift = compare_periods(filled, Q1, Q2, channel="EBAY")
    assert [(line.reason, line.baseline_share, line.current_share) for line in shift.reasons] == [
        ("invoice_request", 1.0, 1.0)
    ]


def test_a_reason_that_is_new_or_gone_has_no_rank_there(desk: Desk, fill: Fill) -> None:
    fill("tracking_update", 20, FEBRUARY)
    fill("refund_status", 20, MAY)
    lines = {line.reason: line for line in compare_periods(desk, Q1, Q2).reasons}
    assert (lines["refund_status"].baseline_rank, lines["refund_status"].current_rank) == (None, 1)
    assert (lines["tracking_update"].baseline_rank, lines["tracking_update"].current_rank) == (1, None)
    assert compare_periods(desk, Q1, Q2).top_five_kept == 0


def test_the_days_at_the_edges_belong_to_one_period_only(desk: Desk, fill: Fill) -> None:
    fill("tracking_update", 1, datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC))
    fill("refund_status", 1, datetime(2026, 4, 1, tzinfo=UTC))
    shift = compare_periods(desk, Q1, Q2)
    assert (shift.baseline_total, shift.current_total) == (1, 1)


@pytest.mark.parametrize("undecided", [0, 5])
def test_a_period_without_a_reason_cannot_be_compared(desk: Desk, fill: Fill, undecided: int) -> None:
    fill("tracking_update", 5, FEBRUARY)
    fill(None, undecided, MAY)
    with pytest.raises(
        ShiftError, match="no ticket of 2026Q2 has a reason; import or tag tickets of that period first"
    ):
        compare_periods(desk, Q1, Q2)


def test_the_json_has_its_keys_and_plain_dates(filled: Desk) -> None:
    data = json.loads(json.dumps(compare_periods(filled, Q1, Q2).to_json()))
    assert list(data) == [
        "baseline",
        "current",
        "baseline_total",
        "current_total",
        "baseline_undecided",
        "current_undecided",
        "reasons",
        "top_five_kept",
        "sentence",
    ]
    assert data["baseline"] == {"label": "2026Q1", "start": "2026-01-01", "end": "2026-04-01"}
    assert list(data["reasons"][0]) == [
        "reason",
        "baseline_count",
        "current_count",
        "baseline_share",
        "current_share",
        "baseline_rank",
        "current_rank",
        "change",
        "low",
        "high",
        "p",
        "significant",
    ]
