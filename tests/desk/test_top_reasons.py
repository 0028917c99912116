import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from desk.intervals import wilson
from desk.ledger import EventKind
from desk.top_reasons import WindowError, top_reasons

JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


@pytest.fixture
def known(fill, noon):
    """100 tickets with a reason in July (40, 25, 15, 10, 5, 3, 2), 6 other, 4 undecided; 50 in June."""
    numbers = {
        "tracking_update": 40,
        "refund_status": 25,
        "return_request": 15,
        "damaged_in_transit": 10,
        "wrong_size": 5,
        "invoice_request": 3,
        "legal_or_ip": 2,
    }
    for reason, count in numbers.items():
        fill(reason, count, noon(7, 10), channel="Amazon", language="fr")
    fill("other", 6, noon(7, 10), channel="Amazon")
    fill(None, 4, noon(7, 10), channel="Amazon")
    fill("tracking_update", 10, noon(6, 20), channel="Amazon")
    fill("refund_status", 30, noon(6, 20), channel="Amazon")
    fill("gift_options", 10, noon(6, 20), channel="Amazon")


def test_the_pareto_arithmetic_of_a_known_month(desk, taxonomy, known):
    report = top_reasons(desk, taxonomy, JULY, AUGUST)
    assert (report.total, report.with_reason, report.other, report.undecided) == (110, 100, 6, 4)
    assert report.previous_start == date(2026, 5, 31)
    assert [(line.reason, line.count) for line in report.top_five] == [
        ("tracking_update", 40),
        ("refund_status", 25),
        ("return_request", 15),
        ("damaged_in_transit", 10),
        ("wrong_size", 5),
    ]
    assert [line.reason for line in report.making_80] == [
        "tracking_update",
        "refund_status",
        "return_request",
    ]
    assert [round(line.cumulative_share, 9) for line in report.reasons] == [
        0.4,
        0.65,
        0.8,
        0.9,
        0.95,
        0.98,
        1.0,
        1.0,
    ]
    first, second = report.reasons[:2]
    assert (first.share, first.previous_share, round(first.change, 9)) == (0.4, 0.2, 0.2)
    assert (second.previous_share, round(second.change, 9)) == (0.6, -0.35)
    assert (first.autonomy, first.metrics_at_risk) == ("self_service", ("LSR", "OTDR", "CSDR"))
    assert "carrier API" in first.upstream_fix
    gone = report.reasons[-1]
    assert (gone.reason, gone.count, gone.previous_count, gone.is_top_five, gone.in_80) == (
        "gift_options",
        0,
        10,
        False,
        False,
    )
    assert not {"other", None} & {line.reason for line in report.reasons}


def test_the_window_includes_its_start_and_excludes_its_end(desk, taxonomy, fill):
    moments = [
        datetime(2026, 6, 30, 23, 59, 59, 999999),
        datetime(2026, 7, 1),
        datetime(2026, 7, 31, 23, 59, 59),
        datetime(2026, 8, 1),
    ]
    for moment in moments:
        fill("tracking_update", 1, moment.replace(tzinfo=UTC))
    report = top_reasons(desk, taxonomy, JULY, AUGUST)
    assert (report.total, report.previous_total) == (2, 1)
    assert [
        (period.start.day, period.counts["tracking_update"]) for period in report.trend if sum(period.counts.values())
    ] == [(1, 1), (31, 1)]


@pytest.mark.parametrize("end", [JULY, date(2026, 6, 1)])
def test_a_window_that_ends_before_it_starts_is_an_error_that_says_so(desk, taxonomy, end):
    with pytest.raises(WindowError, match="not after its start 2026-07-01"):
        top_reasons(desk, taxonomy, JULY, end)


def test_the_oldest_window_is_an_error_not_a_traceback(desk, taxonomy):
    with pytest.raises(WindowError, match="no previous window"):
        top_reasons(desk, taxonomy, date.min, date(2026, 1, 1))


def test_filters_take_any_case(desk, taxonomy, known, fill, noon):
    fill("phishing", 3, noon(7, 11), channel="web", marketplace="DE")
    assert top_reasons(desk, taxonomy, JULY, AUGUST, channel="amazon").total == 110
    assert top_reasons(desk, taxonomy, JULY, AUGUST, channel="WEB", marketplace="de").total == 3
    assert top_reasons(desk, taxonomy, JULY, AUGUST, language="FR").total == 100
    empty = top_reasons(desk, taxonomy, JULY, AUGUST, channel="fax")
    assert (empty.total, empty.reasons, empty.desk_holds.channels) == (0, (), ("Amazon", "web"))


def test_costs_are_given_where_there_is_data_and_none_otherwise(desk, taxonomy, fill, noon):
    at = noon(7, 5)
    fill(
        "refund_status",
        1,
        at,
        [(EventKind.MACRO_SENT, {"macro": "m"}), (EventKind.HANDLED, {"seconds": 100})],
    )
    fill("refund_status", 1, at, [(EventKind.REPLIED, {}), (EventKind.HANDLED, {"seconds": 300})])
    fill("refund_status", 2, at, [(EventKind.RATED, {"csat": 5})])
    fill("refund_status", 1, at, [(EventKind.RATED, {"csat": 3})])
    fill("tracking_update", 1, at)
    line, bare = top_reasons(desk, taxonomy, JULY, AUGUST).reasons
    assert (line.aht_seconds.value, line.aht_seconds.n) == (200.0, 2)
    assert (line.macro_use.value, line.macro_use.n) == (0.5, 2)
    assert (line.csat.value, line.csat.n) == (pytest.approx(2 / 3), 3)
    assert (bare.aht_seconds, bare.macro_use, bare.csat) == (None, None, None)


def test_a_long_window_is_charted_by_weeks_that_add_up(desk, taxonomy, fill, noon):
    for day in (1, 7, 8, 30):
        fill("tracking_update", 1, noon(7, day))
    report = top_reasons(desk, taxonomy, JULY, date(2026, 8, 5))
    assert [(period.start.day, period.days) for period in report.trend] == [
        (1, 7),
        (8, 7),
        (15, 7),
        (22, 7),
        (29, 7),
    ]
    assert [period.counts["tracking_update"] for period in report.trend] == [2, 1, 0, 0, 1]
    shorter = top_reasons(desk, taxonomy, JULY, date(2026, 8, 4))
    assert shorter.trend[-1].days == 6


def test_a_model_that_is_not_sure_gives_no_reason(desk, taxonomy, incoming, tag, noon):
    ids = [desk.receive(incoming(external_id=str(n), created_at=noon(7, 3))).ticket_id for n in range(2)]
    desk.tag(ids[0], tag())
    desk.tag(ids[1], tag(decision="undecided"))
    report = top_reasons(desk, taxonomy, JULY, AUGUST)
    assert (report.with_reason, report.undecided) == (1, 1)
    desk.confirm_tag(ids[1], "agent:a")
    assert top_reasons(desk, taxonomy, JULY, AUGUST).undecided == 0


def test_a_reason_that_the_taxonomy_does_not_know_is_counted_all_the_same(desk, taxonomy, fill, noon):
    fill("drone_delivery", 2, noon(7, 3))
    line = top_reasons(desk, taxonomy, JULY, AUGUST).reasons[0]
    assert (line.reason, line.name, line.count, line.autonomy) == (
        "drone_delivery",
        "drone_delivery",
        2,
        None,
    )


def test_the_json_form_is_plain_and_keeps_its_keys(desk, taxonomy, known):
    plain = json.loads(json.dumps(top_reasons(desk, taxonomy, JULY, AUGUST).to_json()))
    assert sorted(plain) == [
        "desk_holds", "end", "filters", "other", "previous_start", "previous_total", "reasons", "start", "total",
        "trend", "undecided", "with_reason",
    ]  # fmt: skip
    assert sorted(plain["reasons"][0]) == [
        "aht_seconds", "autonomy", "cause", "change", "count", "csat", "cumulative_share", "in_80", "is_top_five",
        "macro_use", "metrics_at_risk", "name", "previous_count", "previous_share", "rank", "reason", "share",
        "share_high", "share_low", "upstream_fix",
    ]  # fmt: skip
    assert (plain["start"], plain["end"]) == ("2026-07-01", "2026-08-01")


@given(n=st.integers(1, 5000), share=st.floats(0, 1))
def test_the_wilson_interval_is_scipys(n, share):
    successes = round(n * share)
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert wilson(0, 0) == (0.0, 1.0)


@given(counts=st.lists(st.integers(1, 50), min_size=1, max_size=12))
def test_the_80_set_is_the_smallest_that_reaches_80_percent(counts, taxonomy):
    from desk.reason_counts import Count, ReasonCounts
    from desk.top_reasons import _lines

    cells = {(JULY, reason): Count(tickets=n) for reason, n in zip(taxonomy.ids, counts, strict=False)}
    lines = list(_lines(ReasonCounts(cells), ReasonCounts({}), taxonomy, "en"))
    total = sum(counts)
    inside = [line.count for line in lines if line.in_80]
    assert sum(inside) * 100 >= 80 * total
    assert sum(inside[:-1]) * 100 < 80 * total
    assert sum(line.share for line in lines) == pytest.approx(1)
    assert [line.count for line in lines] == sorted(counts, reverse=True)
    assert all(line.share_low <= line.share <= line.share_high for line in lines)


def test_a_hundred_days_are_counted_by_utc_day(desk, taxonomy, fill):
    start = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    for day in range(3):
        fill("tracking_update", 1, start + timedelta(days=day))
    report = top_reasons(desk, taxonomy, JULY, AUGUST)
    assert [period.start.day for period in report.trend if period.counts["tracking_update"]] == [1, 2, 3]
