"""Deflection in its five parts, macros with what happened after, and the upstream trend."""

from datetime import date, timedelta

import pytest
from scipy.stats import binom

from desk.intervals import share_difference, wilson
from desk.ledger import EventKind
from desk.metrics.definitions import Metric, definitions
from desk.metrics.deflection import ChatDimension, ChatScope, Part, chat_grouping, chats_behind, deflection_report
from desk.metrics.macros import macro_report
from desk.metrics.scope import Dimension, FilterError, Period, Scope, Window
from desk.metrics.upstream import upstream_report
from desk.tables import chat_sessions, chat_turns, orders

WINDOW = Window(date(2026, 3, 1), date(2026, 4, 1))


@pytest.fixture
def chat(database, noon):
    """Store a chat: ``turns`` are (role, act) a minute apart from its start; returns its id."""
    stored = 0

    def store(turns, *, day=3, outcome=None, order=None, verified=True, site="shop", reason="refund_status", **fields):
        nonlocal stored
        stored += 1
        session_id, start = f"C-{stored:03d}", noon(3, day)
        state = {"order_id": order, "verified": verified and order is not None, "reason": reason}
        with database.session() as session:
            session.execute(
                chat_sessions.insert().values(
                    id=session_id, site=site, locale="en", token_hash="x", state=state, created_at=start,
                    outcome=outcome, **fields,
                )
            )  # fmt: skip
            for minute, (role, act) in enumerate(turns):
                at = start + timedelta(minutes=minute)
                session.execute(chat_turns.insert().values(session_id=session_id, role=role, text="t", act=act, at=at))
        return session_id

    return store


ASKED, ANSWERED = ("customer", None), ("bot", "answer")
CLOSED, CLARIFIED, HANDED = ("bot", "close"), ("bot", "clarify"), ("bot", "hand_off")
SOLVED = [ASKED, ANSWERED, ASKED, CLOSED]


def test_each_chat_is_in_exactly_one_part(database, taxonomy, chat, fill, noon):
    with database.session() as session:
        row = {"order_id": "o7", "facts": {}, "as_of": noon(3, 1), "buyer_email": "Ann@x.example"}
        session.execute(orders.insert().values(row))
    last_of_o2 = noon(3, 3) + timedelta(minutes=1)
    expected = {
        chat([("bot", None)]): None,  # opened, nothing said
        chat([ASKED, CLOSED]): None,  # thanks
        chat(SOLVED, outcome="confirmed"): Part.CONFIRMED,
        chat([ASKED, ANSWERED]): Part.SILENT,
        chat([ASKED, ANSWERED], order="o2"): Part.SILENT,
        chat(SOLVED, outcome="confirmed", order="o3"): Part.CAME_BACK,
        chat([ASKED, ANSWERED], order="o4", verified=False): Part.SILENT,
        chat([ASKED, HANDED], outcome="escalated"): Part.ESCALATED,
        chat([ASKED, ANSWERED, ASKED, HANDED], outcome="escalated", order="o3"): Part.ESCALATED,
        chat([ASKED, CLARIFIED]): Part.ABANDONED,
        chat([ASKED, ANSWERED], order="o6"): Part.CAME_BACK,
        chat([ASKED, ANSWERED], order="o6", day=10): Part.SILENT,
        chat([ASKED, ANSWERED], order="o7"): Part.CAME_BACK,
    }
    fill(None, 1, last_of_o2 + timedelta(days=7, seconds=1), order_id="o2")
    fill(None, 1, noon(3, 10), order_id="o3")
    fill(None, 1, noon(3, 5), order_id="o4")
    fill(None, 1, noon(3, 9), customer_email="ann@X.example")
    scope = ChatScope(WINDOW, {}, noon(3, 31))
    report = deflection_report(database, taxonomy, scope)
    assert report.total.parts == {part: sum(one is part for one in expected.values()) for part in Part}
    assert report.no_question == 2
    assert {one.session_id: one.part for one in chats_behind(database, scope)} == {
        session_id: part for session_id, part in expected.items() if part
    }
    assert [one.part for one in chats_behind(database, scope, Part.SILENT)] == [Part.SILENT] * 4
    containment = report.total.share(Part.CONFIRMED, Part.SILENT, Part.CAME_BACK)
    assert (containment.low, containment.high) == wilson(8, 11)


def test_chats_of_the_last_seven_days_may_still_come_back(database, taxonomy, chat, noon):
    chat([ASKED, ANSWERED], day=3)
    chat(SOLVED, day=4, outcome="confirmed")
    chat([ASKED, HANDED], day=4, outcome="escalated")
    report = deflection_report(database, taxonomy, ChatScope(WINDOW, {}, noon(3, 10) + timedelta(hours=1)))
    assert (report.total.n, report.total.not_yet_known) == (3, 1)


def test_chats_are_grouped_and_filtered(database, taxonomy, chat, noon):
    chat([ASKED, ANSWERED], site="Shop")
    chat([ASKED, ANSWERED], site="shop", day=9)
    chat([ASKED, HANDED], site="mail", outcome="escalated", reason=None, day=20)
    scope = ChatScope(WINDOW, {}, noon(3, 31))
    by_site = deflection_report(database, taxonomy, scope, ChatDimension.SITE).groups
    assert [(group.name.lower(), group.n) for group in by_site] == [("shop", 2), ("mail", 1)]
    by_reason = deflection_report(database, taxonomy, scope, ChatDimension.REASON).groups
    assert [(group.name, group.n) for group in by_reason] == [("Refund status", 2), ("Undecided", 1)]
    weeks = deflection_report(database, taxonomy, scope, Period.WEEK).groups
    assert [group.n for group in weeks] == [0, 1, 1, 1, 0, 0]
    narrow = ChatScope(WINDOW, {ChatDimension.SITE: ("SHOP",)}, noon(3, 31))
    assert deflection_report(database, taxonomy, narrow).total.n == 2
    with pytest.raises(FilterError, match="carrier"):
        chat_grouping("carrier")


def test_no_chats_give_no_rate(database, taxonomy):
    report = deflection_report(database, taxonomy, ChatScope(WINDOW), ChatDimension.SITE)
    assert (report.total.n, report.total.share(Part.CONFIRMED), report.groups) == (0, None, ())


def test_a_macro_is_compared_with_tickets_of_the_same_reason_without_it(database, taxonomy, fill, noon):
    def settle(macro, csat, *more):
        sent = (EventKind.MACRO_SENT, {"macro": macro}) if macro else (EventKind.REPLIED, {})
        rated = [(EventKind.RATED, {"csat": csat})] if csat else []
        return [sent, (EventKind.RESOLVED, {}), *more, *rated]

    reopened = (EventKind.REOPENED, {})
    fill("refund_status", 8, noon(3, 3), settle("soon", 5))
    fill("refund_status", 2, noon(3, 3), settle("soon", 2, reopened))
    fill("refund_status", 1, noon(3, 3), [(EventKind.MACRO_SENT, {"macro": "soon"}), *settle("soon", None)])
    fill("refund_status", 4, noon(3, 3), settle(None, 1))
    fill("refund_status", 5, noon(3, 3))  # not answered: in no comparison
    fill("wrong_size", 3, noon(3, 3), settle("soon", None))
    report = macro_report(database, taxonomy, Scope(WINDOW, {}, noon(3, 31)))
    assert (report.answered, report.with_macro) == (18, 14)
    first, second = report.lines
    assert (first.macro, first.reason, first.used, first.answered) == ("soon", "refund_status", 11, 15)
    assert (second.reason, second.used, second.answered) == ("wrong_size", 3, 3)
    fcr, csat, reopen = (first.after[metric] for metric in (Metric.FCR, Metric.CSAT, Metric.REOPEN_RATE))
    assert (fcr.n, fcr.rate.value, fcr.without_n, fcr.without.value) == (11, pytest.approx(8 / 11), 4, 1.0)
    assert (csat.n, csat.rate.value, csat.without.value) == (10, 0.8, 0.0)
    assert (reopen.rate.value, reopen.without.value) == (pytest.approx(2 / 11), 0.0)
    low, high = share_difference(8, 10, 0, 4)
    assert (csat.difference.value, csat.difference.low, csat.difference.high) == (0.8, low, high)
    assert second.after[Metric.FCR].difference is None
    assert "not a causal effect" in definitions().macros_note


def test_upstream_shows_weeks_change_cause_and_fix(database, taxonomy, fill, noon):
    fill("tracking_update", 4, noon(3, 3))
    fill("tracking_update", 12, noon(3, 24))
    fill("invoice_request", 2, noon(3, 24))
    fill("other", 9, noon(3, 3))
    fill(None, 9, noon(3, 3))
    report = upstream_report(database, taxonomy, Scope(Window(date(2026, 3, 2), date(2026, 3, 30))))
    assert report.weeks == (("2026-03-02", 7), ("2026-03-09", 7), ("2026-03-16", 7), ("2026-03-23", 7))
    tracking, invoice = report.lines
    assert (tracking.reason, tracking.weekly) == ("tracking_update", (4, 0, 0, 12))
    assert tracking.change.value == 3.0
    assert tracking.change.low < 3 < tracking.change.high
    assert "carrier API" in tracking.upstream_fix
    assert invoice.change is None
    at_bound = tracking.change.low / (1 + tracking.change.low)
    assert binom.sf(11, 16, at_bound) == pytest.approx(0.025)


def test_the_filters_of_tickets_hold_for_macros_and_upstream_too(database, taxonomy, fill, noon):
    sent = [(EventKind.MACRO_SENT, {"macro": "m"})]
    fill("refund_status", 2, noon(3, 3), sent, carrier="DHL")
    fill("refund_status", 3, noon(3, 3), sent, carrier="UPS")
    scope = Scope(WINDOW, {Dimension.CARRIER: ("dhl",)})
    assert [line.used for line in macro_report(database, taxonomy, scope).lines] == [2]
    assert [line.tickets for line in upstream_report(database, taxonomy, scope).lines] == [2]
