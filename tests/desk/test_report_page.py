import re
from datetime import date

import pytest

from desk.ledger import EventKind
from desk.report_page import points, render_top_reasons
from desk.top_reasons import top_reasons

JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


@pytest.fixture
def page(desk, taxonomy, fill, noon):
    facts = [(EventKind.HANDLED, {"seconds": 245}), (EventKind.RATED, {"csat": 5})]
    fill("tracking_update", 12, noon(7, 3), facts, channel="<b>Amazon</b>")
    fill("not_received", 5, noon(7, 4))
    fill("other", 2, noon(7, 4))
    fill(None, 3, noon(7, 5))
    return render_top_reasons(top_reasons(desk, taxonomy, JULY, AUGUST))


def test_the_page_requests_nothing(page):
    assert not re.search(r"<(script|link|img|iframe|object)\b", page)
    assert not re.search(r"""(src|href)\s*=|url\(\s*['"]?(?!#)|@import""", page)


def test_the_page_shows_numbers_charts_causes_and_definitions(page):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for shown in (
        "Where is my parcel",
        "70.6%",
        "Undecided (not ranked) 3",
        "Other (not ranked) 2",
        "4:05",
        "Wilson",
    ):
        assert shown in text
    assert "Connect the carrier API" in text
    assert page.count("<svg ") == 4
    assert "Marked delivered but not received" in page


def test_an_empty_window_says_what_the_desk_holds(desk, taxonomy, page):
    empty = render_top_reasons(top_reasons(desk, taxonomy, date(2020, 1, 1), date(2020, 2, 1)))
    assert "No tickets were created in this window" in empty
    assert "The desk holds 22 tickets" in empty
    assert "&lt;b&gt;Amazon&lt;/b&gt;" in empty
    assert "<svg" not in empty


def test_an_empty_desk_and_an_untagged_one_say_what_to_do(desk, taxonomy, fill, noon):
    assert "The desk is empty" in render_top_reasons(top_reasons(desk, taxonomy, JULY, AUGUST))
    fill(None, 3, noon(7, 5))
    assert "None of these tickets has a reason yet" in render_top_reasons(top_reasons(desk, taxonomy, JULY, AUGUST))


def test_hostile_names_are_escaped_in_the_charts_too(desk, taxonomy, fill, noon):
    fill("<script>alert(1)</script>", 3, noon(7, 5))
    assert "<script>" not in render_top_reasons(top_reasons(desk, taxonomy, JULY, AUGUST))


@pytest.mark.parametrize(
    ("change", "shown"), [(None, "–"), (0.0, "0.0"), (-0.0001, "0.0"), (0.123, "+12.3"), (-0.05, "−5.0")]
)
def test_changes_are_shown_in_points(change, shown):
    assert points(change) == shown
