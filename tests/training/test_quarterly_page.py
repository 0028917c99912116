import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
from axe_playwright_python.sync_playwright import Axe

from desk.ledger import EventKind
from training.quarterly import Given, measure, render
from training.quarterly.contents import Emerging, Section
from training.quarterly.measuring import quarter_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Q2, Q3 = datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 8, 3, 9, tzinfo=UTC)
LONG = "Rechtsschutzversicherungsgesellschaftsangelegenheit"


def report_of(desk):
    return measure(desk, quarter_of("2026Q3", NOW.date()), Given(), None, Counter(), NOW)


@pytest.fixture
def full(desk, fill):
    """A quarter with movement, undecided tickets, a chatty emerging cluster, and a hostile name."""
    for at, tracking, invoices in ((Q2, 30, 60), (Q3, 70, 30)):
        fill("tracking_update", tracking, at)
        fill("invoice_request", invoices, at)
    fill("<script>alert(1)</script>", 4, Q3)
    fill(None, 5, Q3)
    for view in desk.confirmed_tickets()[-40:]:
        desk.record(view.ticket.id, EventKind.HANDLED, actor="agent:ana", data={"seconds": 300}, at=Q3)
    return replace(report_of(desk), emerging=(Emerging("c1", LONG, 12, True, None, 0.4, (LONG, "<b>x</b>")),))


def text_of(page):
    return unescape(re.sub(r"\s+", " ", re.sub(r"<(style|svg)\b.*?</\1>|<[^>]+>", " ", page, flags=re.S)))


def test_the_page_requests_nothing_and_runs_nothing(full):
    page = render(full)
    assert not re.search(r"<(script|link|img|iframe|object)\b", page)
    assert not re.search(r"""(src|href)\s*=\s*['"]?(?!#|['"]#)|url\((?!#)|@import""", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>x</b>" not in page


def test_five_sentences_come_first_then_every_section_in_order(full):
    page = render(full)
    ids = re.findall(r'<h2 id="(\w+)"', page)
    assert ids == [section.value for section in Section]
    assert re.findall(r'<li><a href="#(\w+)"', page) == ids
    answer = page[page.index('<ol class="answer">') : page.index("<nav")]
    assert answer.count("<li>") == 5
    for sentence in full.sentences:
        assert sentence in text_of(page)


def test_what_was_not_measured_says_how_to_measure_it(full):
    page = text_of(render(replace(full, emerging=None)))
    for command in (
        "paretodesk train",
        "paretodesk reasons emerging --from 2026-07-01 --to 2026-09-30 --json",
        "paretodesk labels audit --json",
    ):
        assert command in page
    assert page.count("Not measured yet") == 5  # macros, chats, model, emerging, labels


def test_a_fresh_database_and_a_quarter_without_tickets(desk, fill):
    assert "The desk is empty. Load an export" in text_of(render(report_of(desk)))
    fill("thanks", 3, Q2)
    page = text_of(render(report_of(desk)))
    assert "No tickets were created in this quarter. The desk holds 3 tickets, created from 2026-05-04" in page
    assert "None" not in page


def test_untagged_tickets_say_what_to_do(desk, fill):
    fill(None, 3, Q3)
    assert "None of the 3 tickets has a reason yet. Train a model" in text_of(render(report_of(desk)))


def test_a_running_quarter_says_that_it_may_change(desk):
    running = measure(desk, quarter_of("2026Q4", NOW.date()), Given(), None, Counter(), NOW)
    assert "The quarter is not over" in text_of(render(running))
    assert "The quarter is not over" not in text_of(render(report_of(desk)))


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_out_of_the_page_and_everything_can_be_read(full, browser, tmp_path, width, scheme):
    file = tmp_path / "report.html"
    file.write_text(render(full), encoding="utf-8")
    view = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    view.goto(file.as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(view).response["violations"]
    assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    view.close()
