"""Figures equal what a plain reading of the events gives, on both databases, for any history of tickets."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.inbox import IncomingTicket
from desk.ledger import Event, EventKind
from desk.metrics import outcomes
from desk.metrics.definitions import Metric
from desk.metrics.query import Side, metrics_report, metrics_reports, tickets_behind
from desk.metrics.scope import Dimension, FilterError, Period, Scope, Window, grouping
from desk.order_table import OrderTable
from desk.tables import orders, sla_clocks
from desk.top_reasons import WindowError

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
WINDOW = Window(date(2026, 3, 2), date(2026, 4, 1))
GRID = timedelta(hours=12)  # so coarse that moments coincide and 7 days pass exactly
WEEK = timedelta(days=7)
DURATIONS = (Metric.FRT, Metric.FIRST_RESOLUTION, Metric.TOTAL_RESOLUTION, Metric.AHT)
examples = count()


# -- the oracle: from a ticket and its events, in the order of their moments -------------------------------


def answers(told, until=None):
    replies = [e for e in told if e.kind in (EventKind.REPLIED, EventKind.MACRO_SENT) and not e.data.get("automatic")]
    return [e for e in replies if until is None or e.at <= until]


def closed_at(told):
    return min((e.at for e in told if e.kind is EventKind.RESOLVED), default=None)


def resolved_now(told):
    marks = [e for e in told if e.kind in (EventKind.RESOLVED, EventKind.REOPENED)]
    return marks[-1].at if marks and marks[-1].kind is EventKind.RESOLVED else None


def last(told, name):
    values = [e.data[name] for e in told if e.kind is EventKind.RATED and e.data.get(name) is not None]
    return values[-1] if values else None


def value_of(metric, ticket, told):
    """A duration in seconds, None where it is not known."""
    moment = {
        Metric.FRT: lambda: min((e.at for e in answers(told) if not e.data.get("time_unknown")), default=None),
        Metric.FIRST_RESOLUTION: lambda: closed_at(told),
        Metric.TOTAL_RESOLUTION: lambda: resolved_now(told),
    }
    if metric is Metric.AHT:
        seconds = [e.data["seconds"] for e in told if e.kind is EventKind.HANDLED]
        return sum(seconds) if seconds else None
    at = moment[metric]()
    return None if at is None or at < ticket.created_at else (at - ticket.created_at).total_seconds()


def judge(metric, ticket, told, everything, now):
    """Whether the ticket counts, and whether it is a hit."""
    closed = closed_at(told)
    replied = [e for e in told if e.kind in (EventKind.REPLIED, EventKind.MACRO_SENT)]
    match metric:
        case Metric.VOLUME:
            return True, False
        case Metric.CSAT:
            return last(told, "csat") is not None, (last(told, "csat") or 0) >= 4
        case Metric.NPS:
            return last(told, "nps") is not None, (last(told, "nps") or 0) >= 9
        case Metric.REOPEN_RATE:
            return closed is not None, any(e.kind is EventKind.REOPENED for e in told)
        case Metric.MACRO_USE:
            return bool(replied), any(e.kind is EventKind.MACRO_SENT for e in replied)
        case Metric.FCR:
            if closed is None or not answers(told, closed + WEEK) or closed + WEEK > now:
                return False, False
            wrote = any(e.kind is EventKind.CUSTOMER_WROTE and closed < e.at <= closed + WEEK for e in told)
            reopened = any(e.kind is EventKind.REOPENED and closed <= e.at <= closed + WEEK for e in told)
            again = any(
                ticket.created_at < other.created_at <= closed + WEEK and same_customer(ticket, other)
                for other in everything
            )
            return True, len(answers(told, closed + WEEK)) == 1 and not (wrote or reopened or again)


def same_customer(one, other):
    mail = [(ticket.customer_email or "").strip().lower() for ticket in (one, other)]
    order = [(ticket.order_id or "").strip() for ticket in (one, other)]
    return bool(mail[0] and mail[0] == mail[1]) or bool(order[0] and order[0] == order[1])


# -- histories ---------------------------------------------------------------------------------------------

flags = st.fixed_dictionaries({}, optional={"automatic": st.booleans(), "time_unknown": st.booleans()})
facts = st.one_of(
    st.tuples(st.just(EventKind.REPLIED), flags),
    st.tuples(st.just(EventKind.MACRO_SENT), flags.map(lambda data: {"macro": "m", **data})),
    st.tuples(st.sampled_from([EventKind.RESOLVED, EventKind.REOPENED, EventKind.CUSTOMER_WROTE]), st.just({})),
    st.tuples(st.just(EventKind.HANDLED), st.fixed_dictionaries({"seconds": st.integers(0, 900)})),
    st.tuples(st.just(EventKind.RATED), st.fixed_dictionaries({"csat": st.integers(1, 5)})),
    st.tuples(st.just(EventKind.RATED), st.fixed_dictionaries({"nps": st.integers(0, 10)})),
    st.tuples(
        st.just(EventKind.TAG_CONFIRMED),
        st.fixed_dictionaries({"reason": st.sampled_from(["refund_status", "wrong_size"])}),
    ),
)
ANSWERED = (1, (EventKind.REPLIED, {}))
CLOSED = (2, (EventKind.RESOLVED, {}))
ACKNOWLEDGED = (0, (EventKind.MACRO_SENT, {"macro": "m", "automatic": True}))
settled = st.sampled_from([[], [ANSWERED, CLOSED], [ANSWERED, CLOSED], [ACKNOWLEDGED, ANSWERED, CLOSED]])
steps = st.sampled_from([-1, 0, 1, 2, 3, 10, 15, 16, 17])  # CLOSED and 7 days is 16
extras = st.one_of(st.just([]), st.lists(st.tuples(steps, facts), max_size=5))
histories = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 2, 3, 16, 17, 30]),
        st.sampled_from([None, None, "", "o1", "o2"]),
        st.sampled_from([None, None, "Ann@x.example", " ann@x.example", "bob@x.example"]),
        st.tuples(settled, extras).map(lambda two: [*two[0], *two[1]]),
    ),
    min_size=1,
    max_size=9,
)


def tell(desk, history):
    """Store a history under a channel of its own; returns the channel and (ticket, events in order) by ticket id."""
    name = f"Example {next(examples)}"
    batch = []
    for number, (created, order, mail, told) in enumerate(history):
        at = START + created * GRID
        ticket = IncomingTicket(
            "oracle", f"{name}-{number}", "text", channel=name, created_at=at,
            order_id=f"{order} {name}" if order else order, customer_email=f"{mail}.{name[8:]}" if mail else mail,
        )  # fmt: skip
        batch.append((ticket, [Event("", kind, at + step * GRID, "agent:a", data) for step, (kind, data) in told]))
    ids = [received.ticket_id for received in desk.receive_many(batch)]
    ordered = {}
    for ticket_id, (ticket, told) in zip(ids, batch, strict=True):
        ordered[ticket_id] = (ticket, sorted(told, key=lambda event: event.at))
    return name, ordered


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, age=st.sampled_from([15, 16, 17, 60, 60]))
def test_every_figure_is_what_the_events_say(desk, taxonomy, history, age):
    name, told = tell(desk, history)
    now = START + age * GRID
    scope = Scope(WINDOW, {Dimension.CHANNEL: (name.upper(),)}, now)
    inside = {i: one for i, one in told.items() if START <= one[0].created_at < datetime(2026, 4, 1, tzinfo=UTC)}
    everything = [ticket for ticket, _ in told.values()]
    whole, by_reason = metrics_reports(desk.database, taxonomy, scope, (None, Dimension.REASON))
    reasons = defaultdict(dict)
    for ticket_id, one in inside.items():
        confirmed = [event.data["reason"] for event in one[1] if event.kind is EventKind.TAG_CONFIRMED]
        reasons[confirmed[-1] if confirmed else None][ticket_id] = one
    assert {group.key: group.figures[Metric.VOLUME].n for group in by_reason.groups} == {
        reason: len(some) for reason, some in reasons.items()
    }
    for figures, some, part in [
        (whole.total.figures, inside, scope),
        *((group.figures, reasons[group.key], scope.narrowed(by_reason.by, group.key)) for group in by_reason.groups),
    ]:
        for metric in Metric:
            if metric is not Metric.SLA_COMPLIANCE:
                compare(desk, metric, figures[metric], some, everything, now, part)


def compare(desk, metric, figure, some, everything, now, scope):
    if metric in DURATIONS:
        values = {i: value for i, one in some.items() if (value := value_of(metric, *one)) is not None}
        assert figure.n == len(values), metric
        if values:
            expected = {"median": np.median(list(values.values())), "mean": np.mean(list(values.values()))}
            expected["p90"] = np.quantile(list(values.values()), 0.9)
            assert {name: one.value for name, one in figure.spread.items()} == pytest.approx(expected)
            assert figure.value == figure.spread["mean" if metric is Metric.AHT else "median"].value
        else:
            assert figure.value is None
        page = tickets_behind(desk.database, scope, metric)
        assert {ticket.ticket_id: ticket.value for ticket in page.tickets} == pytest.approx(values)
        assert [t.value for t in page.tickets] == sorted((t.value for t in page.tickets), reverse=True)
        return
    judged = {ticket_id: judge(metric, *one, everything, now) for ticket_id, one in some.items()}
    counted = {ticket_id for ticket_id, (counts, _) in judged.items() if counts}
    hits = {ticket_id for ticket_id in counted if judged[ticket_id][1]}
    assert figure.n == len(counted), metric
    if metric is Metric.VOLUME:
        assert figure.value == len(counted)
    else:
        assert figure.hits == len(hits), metric
        if metric is Metric.NPS:
            against = sum(last(some[ticket_id][1], "nps") <= 6 for ticket_id in counted)
            assert figure.value == (pytest.approx(100 * (len(hits) - against) / len(counted)) if counted else None)
        else:
            assert figure.value == (len(hits) / len(counted) if counted else None)
    for side, wanted in ((Side.COUNTED, counted), (Side.HITS, hits), (Side.REST, counted - hits)):
        if scope.filters.keys() == {Dimension.CHANNEL} and (metric is not Metric.VOLUME or side is Side.COUNTED):
            page = tickets_behind(desk.database, scope, metric, side)
            assert ({ticket.ticket_id for ticket in page.tickets}, page.total) == (wanted, len(wanted)), (metric, side)


# -- what a person would check by hand ---------------------------------------------------------------------


def test_first_contact_resolution_waits_for_seven_days(desk, taxonomy, fill, noon):
    told = [(EventKind.REPLIED, {}), (EventKind.RESOLVED, {})]
    fill("refund_status", 3, noon(3, 3), told)

    def fcr(now):
        return metrics_report(desk.database, taxonomy, Scope(WINDOW, {}, now)).total.figures[Metric.FCR]

    assert (fcr(noon(3, 10) - timedelta(seconds=1)).n, fcr(noon(3, 10) - timedelta(seconds=1)).value) == (0, None)
    assert (fcr(noon(3, 10)).n, fcr(noon(3, 10)).value) == (3, 1.0)


REPLY, CLOSE = (1, EventKind.REPLIED, {}), (2, EventKind.RESOLVED, {})
SEVEN = 2 + 7 * 24  # hours after creation at which the 7 days after CLOSE end
SECOND = 1 / 3600
FIRST_CONTACT = {
    "one reply": ([REPLY, CLOSE], None, True),
    "a reply after closing": ([(3, EventKind.REPLIED, {}), CLOSE], None, True),
    "two replies": ([REPLY, REPLY, CLOSE], None, False),
    "a second reply in the 7 days": ([REPLY, CLOSE, (SEVEN, EventKind.REPLIED, {})], None, False),
    "a second reply after them": ([REPLY, CLOSE, (SEVEN + SECOND, EventKind.REPLIED, {})], None, True),
    "an automatic reply before": ([(0, EventKind.REPLIED, {"automatic": True}), REPLY, CLOSE], None, True),
    "an automatic reply alone": ([(0, EventKind.REPLIED, {"automatic": True}), CLOSE], None, None),
    "a macro of unknown time": ([(2, EventKind.MACRO_SENT, {"macro": "m", "time_unknown": True}), CLOSE], None, True),
    "no reply": ([CLOSE], None, None),
    "never closed": ([REPLY], None, None),
    "a message at closing": ([REPLY, CLOSE, (2, EventKind.CUSTOMER_WROTE, {})], None, True),
    "a message after closing": ([REPLY, CLOSE, (2 + SECOND, EventKind.CUSTOMER_WROTE, {})], None, False),
    "a message as the 7 days end": ([REPLY, CLOSE, (SEVEN, EventKind.CUSTOMER_WROTE, {})], None, False),
    "a message after the 7 days": ([REPLY, CLOSE, (SEVEN + SECOND, EventKind.CUSTOMER_WROTE, {})], None, True),
    "reopened in the 7 days": ([REPLY, CLOSE, (5, EventKind.REOPENED, {})], None, False),
    "reopened after them": ([REPLY, CLOSE, (SEVEN + SECOND, EventKind.REOPENED, {})], None, True),
    "the order again at the same moment": ([REPLY, CLOSE], (0, "order_id", "{}"), True),
    "the order again while open": ([REPLY, CLOSE], (1, "order_id", "{}"), False),
    "the order again as the 7 days end": ([REPLY, CLOSE], (SEVEN, "order_id", "{}"), False),
    "the order again after them": ([REPLY, CLOSE], (SEVEN + SECOND, "order_id", "{}"), True),
    "another order": ([REPLY, CLOSE], (5, "order_id", "{} b"), True),
    "the address again in capitals": ([REPLY, CLOSE], (SEVEN, "customer_email", "{}@X.EXAMPLE"), False),
    "the address again after them": ([REPLY, CLOSE], (SEVEN + SECOND, "customer_email", "{}@x.example"), True),
    "another address": ([REPLY, CLOSE], (5, "customer_email", "b{}@x.example"), True),
}


def test_what_settles_a_ticket_at_first_contact(desk, taxonomy, noon):
    at, batch = noon(3, 3), []
    for number, (case, (told, other, _)) in enumerate(FIRST_CONTACT.items()):
        facts = [Event("", kind, at + timedelta(hours=hours), "agent:a", data) for hours, kind, data in told]
        mine = {"order_id": f"{number}", "customer_email": f"{number}@x.example"}
        batch.append((IncomingTicket("table", case, "text", channel=case, created_at=at, **mine), facts))
        if other:
            hours, name, value = other
            later = at + timedelta(hours=hours)
            fields = {name: value.format(number)}
            batch.append((IncomingTicket("table", f"{case} 2", "text", channel="x", created_at=later, **fields), ()))
    desk.receive_many(batch)
    report = metrics_report(
        desk.database, taxonomy, Scope(WINDOW, {}, noon(4, 20)), Dimension.CHANNEL, [Metric.VOLUME, Metric.FCR]
    )
    found = {group.key: group.figures[Metric.FCR].value for group in report.groups}
    wanted = {case: None if hit is None else float(hit) for case, (_, _, hit) in FIRST_CONTACT.items()}
    assert {case: found[case] for case in wanted} == wanted


def test_an_overdue_open_clock_is_breached_and_one_in_time_is_not_counted(desk, database, taxonomy, incoming, noon):
    states = [("met", 5), ("breached", 5), ("running", 5), ("running", 20), ("paused", 5), ("cancelled", 5)]
    for number, (state, due) in enumerate(states):
        ticket_id = desk.receive(incoming(external_id=str(number), created_at=noon(3, 3))).ticket_id
        row = {
            "ticket_id": ticket_id, "clock": "resolution", "started_at": noon(3, 2), "policy": "test", "state": state,
            "due_at": noon(3, due), "foremost": False,
        }  # fmt: skip
        with database.session() as session:
            session.execute(sla_clocks.delete().where(sla_clocks.c.ticket_id == ticket_id))
            session.execute(sla_clocks.insert().values(row))
    scope = Scope(WINDOW, {}, noon(3, 10))
    figure = metrics_report(database, taxonomy, scope).total.figures[Metric.SLA_COMPLIANCE]
    assert (figure.n, figure.hits) == (3, 1)
    assert tickets_behind(database, scope, Metric.SLA_COMPLIANCE, Side.REST).total == 2


def test_an_empty_desk_has_no_figures_and_no_zeros(desk, taxonomy):
    report = metrics_report(desk.database, taxonomy, Scope(WINDOW), Dimension.REASON)
    figures = report.total.figures
    assert (figures[Metric.VOLUME].value, figures[Metric.VOLUME].n) == (0, 0)
    assert all(figures[metric].estimate is None and figures[metric].n == 0 for metric in Metric if metric != "volume")
    assert report.groups == ()


def test_spellings_are_one_group_and_filters_take_any_case(desk, taxonomy, fill, noon):
    for channel, tickets in (("Élan", 3), ("élan", 2), ("ÉLAN", 1), ("web", 2)):
        fill(None, tickets, noon(3, 3), channel=channel)
    report = metrics_report(desk.database, taxonomy, Scope(WINDOW), Dimension.CHANNEL)
    assert [(group.key, group.figures[Metric.VOLUME].n) for group in report.groups] == [("Élan", 6), ("web", 2)]
    narrow = metrics_report(desk.database, taxonomy, Scope(WINDOW, {Dimension.CHANNEL: ("éLAN",)}))
    assert narrow.total.figures[Metric.VOLUME].n == 6
    fax = metrics_report(desk.database, taxonomy, Scope(WINDOW, {Dimension.CHANNEL: ("fax",)}))
    assert fax.total.figures[Metric.VOLUME].n == 0
    assert "channel 'fax'" in fax.notices[0]
    assert "web" in fax.notices[0]


def test_any_dimension_groups_and_filters_alike(desk, taxonomy, fill, noon, database):
    with database.session() as session:
        session.execute(
            orders.insert(),
            [
                {"order_id": "A", "facts": {"order.fulfilment": "amazon", "shipment.carrier": "UPS", "item.asin": "B1"},
                 "as_of": noon(3, 1)},
                {"order_id": "M", "facts": {"order.fulfilment": "merchant"}, "as_of": noon(3, 1)},
            ],
        )  # fmt: skip
    assert OrderTable(database).facts("A")
    fill("fba_return", 1, noon(3, 3), [(EventKind.ASSIGNED, {"assignee": "anna"})])
    fill("wrong_size", 2, noon(3, 3), order_id="A", marketplace="amazon.de", language="de")
    fill(
        None, 3, noon(3, 3), [(EventKind.PRIORITY_SET, {"priority": "urgent"})], order_id="M", carrier="DHL", asin="B2"
    )
    fill(None, 4, noon(3, 3), [(EventKind.ROUTED, {"team": "returns"})])
    expected = {
        Dimension.FULFILMENT: {"fba": 3, "fbm": 3, None: 4},
        Dimension.CARRIER: {"UPS": 2, "DHL": 3, None: 5},
        Dimension.PRODUCT: {"B1": 2, "B2": 3, None: 5},
        Dimension.AGENT: {"anna": 1, None: 9},
        Dimension.TEAM: {"returns": 4, None: 6},
        Dimension.PRIORITY: {"urgent": 3, "normal": 7},
        Dimension.MARKETPLACE: {"amazon.de": 2, None: 8},
        Dimension.LANGUAGE: {"de": 2, None: 8},
        Dimension.REASON: {"fba_return": 1, "wrong_size": 2, None: 7},
    }
    scope = Scope(WINDOW)
    for report in metrics_reports(database, taxonomy, scope, tuple(expected), [Metric.VOLUME]):
        found = {group.key: group.figures[Metric.VOLUME].n for group in report.groups}
        assert found == expected[report.by], report.by
        for key, tickets in found.items():
            narrow = metrics_report(database, taxonomy, scope.narrowed(report.by, key), None, [Metric.VOLUME])
            assert narrow.total.figures[Metric.VOLUME].n == tickets
            assert not narrow.notices
    several = {Dimension.CARRIER: ("ups", "dhl"), Dimension.FULFILMENT: ("FBM",)}
    assert metrics_report(database, taxonomy, Scope(WINDOW, several)).total.figures[Metric.VOLUME].n == 3


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_days_are_those_of_the_time_zone_when_the_clocks_change_too(desk, taxonomy, zone):
    moments = [datetime(2026, 3, 27, tzinfo=UTC) + timedelta(minutes=15 * step - 1) for step in range(0, 96 * 12, 9)]
    tickets = [IncomingTicket("zones", str(at), "text", created_at=at) for at in moments]
    desk.receive_many([(ticket, ()) for ticket in tickets])
    window = Window(date(2026, 3, 28), date(2026, 4, 7), zone)
    expected = defaultdict(int)
    for moment in moments:
        day = moment.astimezone(window.zone).date()
        if window.start <= day < window.end:
            expected[day.isoformat()] += 1
    days, weeks = metrics_reports(desk.database, taxonomy, Scope(window), (Period.DAY, Period.WEEK), [Metric.VOLUME])
    assert {group.key: group.figures[Metric.VOLUME].n for group in days.groups} == dict(expected)
    cut = [("2026-03-23", 2), ("2026-03-30", 7), ("2026-04-06", 1)]
    assert [(group.key, group.days) for group in weeks.groups] == cut
    for by, group in ((Period.DAY, days.groups[1]), (Period.WEEK, weeks.groups[0]), (Period.WEEK, weeks.groups[1])):
        narrow = metrics_report(desk.database, taxonomy, Scope(window).narrowed(by, group.key), None, [Metric.VOLUME])
        assert narrow.total.figures[Metric.VOLUME].n == group.figures[Metric.VOLUME].n


def test_a_large_window_gives_the_figures_of_a_small_one(desk, taxonomy, fill, noon, monkeypatch):
    fill("refund_status", 5, noon(3, 3), [(EventKind.REPLIED, {}), (EventKind.RESOLVED, {})], order_id="o1")
    scope = Scope(WINDOW, {}, noon(3, 30))
    small = metrics_report(desk.database, taxonomy, scope)
    monkeypatch.setattr(outcomes, "MANY", 5)  # PostgreSQL is told to plan otherwise
    assert metrics_report(desk.database, taxonomy, scope) == small
    assert small.total.figures[Metric.FCR].n == 5


def test_pages_of_tickets_are_disjoint_and_complete(desk, taxonomy, fill, noon):
    fill(None, 5, noon(3, 3))
    pages = [tickets_behind(desk.database, Scope(WINDOW), Metric.VOLUME, limit=2, offset=skip) for skip in (0, 2, 4, 6)]
    assert [len(page.tickets) for page in pages] == [2, 2, 1, 0]
    assert len({ticket.ticket_id for page in pages for ticket in page.tickets}) == 5
    assert {page.total for page in pages} == {5}


def test_wrong_windows_and_groupings_say_what_to_do():
    with pytest.raises(WindowError, match="not after its start"):
        Window(date(2026, 3, 2), date(2026, 3, 2))
    for zone in ("Mars/Olympus", "../../etc/passwd", ""):
        with pytest.raises(WindowError, match="time zone"):
            Window(date(2026, 3, 2), date(2026, 3, 3), zone)
    with pytest.raises(WindowError, match="calendar"):
        Window(date.min, date(2026, 3, 3), "Asia/Tokyo")
    with pytest.raises(FilterError, match=r"colour.*channel"):
        grouping("colour")
