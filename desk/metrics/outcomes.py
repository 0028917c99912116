"""What became of each ticket, as one SQL row per ticket: the table that every metric is computed from.

Moments are whole milliseconds since 1970 (UTC), so that both databases compare and subtract them alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from desk.metrics.scope import QUARTER_HOUR_S, UNDECIDED, UNKNOWN, Dimension, Scope, Window
from desk.sla.clocks import ClockState
from desk.tables import events, orders, sla_clocks, ticket_states, tickets
from desk.ticket_state import Decision, EventKind, Status

COMES_BACK_WITHIN = timedelta(days=7)
"""A new contact within these days: it was not settled (docs/domain.md, FCR and deflection)."""
COMES_BACK_MS = COMES_BACK_WITHIN // timedelta(milliseconds=1)
FBA_REASON = "fba_return"
BY_AMAZON, BY_MERCHANT = ("amazon", "fba", "afn"), ("merchant", "seller", "fbm", "mfn")  # order.fulfilment, as exported
NAMED_VALUES = 20
MANY = 5_000  # rows from which one pass over whole tables is faster than looking each row up


class Need(StrEnum):
    """Parts of a ticket's outcome that cost a look at other tables; a metric names those that it uses."""

    CLOSING = "closing"  # first_resolved_ms, person_replies, contacts_after
    AGAIN = "again"  # again_order_ms, again_customer_ms
    CLOCKS = "clocks"  # clocks_met, clocks_breached


class Milliseconds(FunctionElement[int]):
    """A moment as whole milliseconds since 1970, UTC."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(Milliseconds, "sqlite")
def _sqlite_ms(element: Any, compiler: Any, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    return f"CAST(ROUND((julianday({moment}) - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(Milliseconds, "postgresql")
def _postgresql_ms(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **options)}) * 1000 AS BIGINT)"


class Scanned(FunctionElement[str]):
    """A column that SQLite does not look up in an index: for most tickets, reading the table once is faster."""

    type = sa.Text()
    inherit_cache = True


@compiles(Scanned, "sqlite")
def _sqlite_scanned(element: Any, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(Scanned, "postgresql")
def _postgresql_scanned(element: Any, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


def milliseconds(moment: datetime) -> int:
    """A moment in the terms of this table."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def plan_for_many(session: Session, moment: Any, window: Window) -> None:
    """Keep PostgreSQL from nested loops, in this transaction, where the window has many rows by ``moment``.

    It cannot estimate how many rows these statements meet half-way, and guesses far too few where a table was filled
    a moment ago: nested loops over 100,000 tickets then take hours instead of seconds.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    rows = sa.select(sa.literal(1)).where(moment >= window.opens, moment < window.closes).limit(MANY).subquery()
    if session.scalar(sa.select(sa.func.count()).select_from(rows)) == MANY:
        session.execute(sa.text("SET LOCAL enable_nestloop = off"))
        session.execute(sa.text("SET LOCAL cursor_tuple_fraction = 1"))  # every row is read, not the first ones


def quarter_hours(created_ms: Any) -> Any:
    """Milliseconds as whole quarters of an hour, for `Window.first_day`."""
    return created_ms // sa.literal_column(str(QUARTER_HOUR_S * 1000))


def chosen(column: Any, values: Collection[str | None], wanted: Collection[str], nothing: str) -> Any:
    """The condition that ``column``, which has these ``values``, is a wanted one in any case; ``nothing`` is NULL.

    The databases fold the case of letters differently, so the spellings that fit are looked up.
    """
    keys = {value.strip().casefold() for value in wanted}
    fitting = [value for value in values if value is not None and value.casefold() in keys]
    return sa.or_(column.in_(fitting), column.is_(None) if nothing in keys else sa.false())


@dataclass(frozen=True)
class Outcomes:
    """The rows of a scope as a subquery. ``notices`` tell of filters that no ticket of the window fits."""

    rows: sa.Subquery
    notices: tuple[str, ...]


def outcomes(session: Session, scope: Scope, needs: Collection[Need] = ()) -> Outcomes:
    """One row per ticket of ``scope``.

    Columns: ``ticket_id``, ``created_at``, ``created_ms``, one per `Dimension` (NULL: none), ``first_reply_ms``
    (of a person), ``resolved`` (now), ``resolved_ms``, ``replies``, ``macro_uses``, ``macros``, ``reopenings``,
    ``handle_seconds``, ``csat``, ``nps``, and those of ``needs``.
    """
    plan_for_many(session, tickets.c.created_at, scope.window)
    conditions, notices = _filters(session, scope)
    scoped = sa.select(*_columns()).select_from(_joined()).where(*_in_window(scope), *conditions).cte("scoped")
    columns: list[Any] = [*scoped.c]
    source: sa.FromClause = scoped
    for need, build in ((Need.CLOSING, _closings), (Need.AGAIN, _again), (Need.CLOCKS, _clocks)):
        if need in needs:
            more = build(scope, scoped)
            source = source.outerjoin(more, more.c.of_ticket == scoped.c.ticket_id)
            columns += [column for column in more.c if column.name != "of_ticket"]
    return Outcomes(sa.select(*columns).select_from(source).subquery("outcomes"), notices)


def order_fact(name: str) -> Any:
    """A fact of the joined order, NULL where it has none."""
    return sa.type_coerce(orders.c.facts, sa.JSON)[name].as_string()


def is_automatic(data: Any) -> Any:
    """Whether an event's data says that no person acted."""
    flag = sa.cast(sa.type_coerce(data, sa.JSON)["automatic"].as_string(), sa.Text)
    return sa.func.coalesce(flag, "false").not_in(("false", "0", ""))


def _dimensions() -> dict[Dimension, Any]:
    state = ticket_states.c
    reason = sa.case((state.decision == Decision.TAGGED.value, state.reason))
    fulfilment = sa.func.lower(order_fact("order.fulfilment"))
    columns = {
        Dimension.CHANNEL: tickets.c.channel,
        Dimension.MARKETPLACE: tickets.c.marketplace,
        Dimension.LANGUAGE: sa.func.coalesce(sa.func.nullif(tickets.c.language, ""), state.tagged_language),
        Dimension.REASON: reason,
        Dimension.AGENT: state.assignee,
        Dimension.TEAM: state.team,
        Dimension.PRODUCT: sa.func.coalesce(sa.func.nullif(tickets.c.asin, ""), order_fact("item.asin")),
        Dimension.CARRIER: sa.func.coalesce(sa.func.nullif(tickets.c.carrier, ""), order_fact("shipment.carrier")),
        Dimension.FULFILMENT: sa.case(
            (fulfilment.in_(BY_AMAZON), "fba"), (fulfilment.in_(BY_MERCHANT), "fbm"), (reason == FBA_REASON, "fba")
        ),
        Dimension.PRIORITY: state.priority,
    }
    return {dimension: sa.func.nullif(column, "", type_=sa.Text()) for dimension, column in columns.items()}


def _columns() -> Iterator[Any]:
    state = ticket_states.c
    yield tickets.c.id.label("ticket_id")
    yield tickets.c.created_at
    yield Milliseconds(tickets.c.created_at).label("created_ms")
    for dimension, column in _dimensions().items():
        yield column.label(dimension.value)
    yield Milliseconds(state.first_reply_at).label("first_reply_ms")
    yield (state.status == Status.RESOLVED.value).label("resolved")
    yield Milliseconds(state.resolved_at).label("resolved_ms")
    yield from (state.replies, state.macro_uses, state.macros, state.reopenings, state.handle_seconds)
    yield from (state.csat, state.nps)


def _joined() -> sa.FromClause:
    with_state = tickets.join(ticket_states, ticket_states.c.ticket_id == tickets.c.id)
    return with_state.outerjoin(orders, orders.c.order_id == tickets.c.order_id)


def _in_window(scope: Scope) -> tuple[Any, ...]:
    return tickets.c.created_at >= scope.window.opens, tickets.c.created_at < scope.window.closes


def _filters(session: Session, scope: Scope) -> tuple[list[Any], tuple[str, ...]]:
    """Conditions on the dimensions, and what to say of values that no ticket of the window has."""
    conditions, notices = [], []
    columns = _dimensions()
    for dimension, wanted in scope.filters.items():
        column = columns[dimension]
        nothing = UNDECIDED if dimension is Dimension.REASON else UNKNOWN
        seen = sa.select(column).select_from(_joined()).where(*_in_window(scope)).distinct()
        values = set(session.scalars(seen))
        conditions.append(chosen(column, values, wanted, nothing))
        known = {(nothing if value is None else value).casefold() for value in values}
        if missing := [value for value in wanted if value.strip().casefold() not in known]:
            names = sorted(nothing if value is None else str(value) for value in values)
            shown = ", ".join(names[:NAMED_VALUES]) + (", ..." if len(names) > NAMED_VALUES else "")
            has = f"has {dimension} {' or '.join(map(repr, missing))}"
            notices.append(f"no ticket of the window {has}; there are: {shown or 'no tickets'}")
    return conditions, tuple(notices)


def _closings(scope: Scope, scoped: sa.CTE) -> sa.Subquery:
    """The first resolution, replies of people until 7 days after it, and contacts in those days."""
    kinds = (EventKind.RESOLVED, EventKind.REPLIED, EventKind.MACRO_SENT, EventKind.CUSTOMER_WROTE, EventKind.REOPENED)
    at = Milliseconds(events.c.at)
    resolved = sa.case((events.c.kind == EventKind.RESOLVED.value, at))
    told = (
        sa.select(
            events.c.ticket_id,
            events.c.kind,
            at.label("at_ms"),
            is_automatic(events.c.data).label("automatic"),
            sa.over(sa.func.min(resolved), partition_by=Scanned(events.c.ticket_id)).label("first_resolved_ms"),
        )
        .where(
            events.c.kind.in_([kind.value for kind in kinds]),
            Scanned(events.c.ticket_id).in_(sa.select(scoped.c.ticket_id)),
        )
        .subquery("told")
    )
    row = told.c
    replied = sa.and_(
        row.kind.in_((EventKind.REPLIED.value, EventKind.MACRO_SENT.value)),
        sa.not_(row.automatic),
        row.at_ms <= row.first_resolved_ms + COMES_BACK_MS,
    )
    wrote = sa.and_(row.kind == EventKind.CUSTOMER_WROTE.value, row.at_ms > row.first_resolved_ms)
    reopened = sa.and_(row.kind == EventKind.REOPENED.value, row.at_ms >= row.first_resolved_ms)
    came = sa.and_(sa.or_(wrote, reopened), row.at_ms <= row.first_resolved_ms + COMES_BACK_MS)
    return (
        sa.select(
            row.ticket_id.label("of_ticket"),
            row.first_resolved_ms,
            sa.func.sum(sa.case((replied, 1), else_=0)).label("person_replies"),
            sa.func.sum(sa.case((came, 1), else_=0)).label("contacts_after"),
        )
        .where(row.first_resolved_ms.is_not(None))
        .group_by(row.ticket_id, row.first_resolved_ms)
        .subquery("closings")
    )


def _again(scope: Scope, scoped: sa.CTE) -> sa.Subquery:
    """When the next ticket about the same order, or from the same address, was created after each ticket."""
    alone = sa.literal("\x1f") + tickets.c.id  # no order or address: a partition of its own
    created = Milliseconds(tickets.c.created_at)

    def next_of(key: Any) -> Any:
        of = sa.func.coalesce(sa.func.nullif(key, ""), alone)
        return sa.over(sa.func.min(created), partition_by=of, order_by=tickets.c.created_at.desc(), groups=(None, -1))

    return (
        sa.select(
            tickets.c.id.label("of_ticket"),
            next_of(sa.func.trim(tickets.c.order_id)).label("again_order_ms"),
            next_of(sa.func.lower(sa.func.trim(tickets.c.customer_email))).label("again_customer_ms"),
        )
        .where(tickets.c.created_at >= scope.window.opens)
        .subquery("again")
    )


def _clocks(scope: Scope, scoped: sa.CTE) -> sa.Subquery:
    """Service-level clocks that were met, and those that were breached or are overdue."""
    clock = sla_clocks.c
    overdue = sa.and_(clock.state == ClockState.RUNNING.value, clock.due_at < scope.now)
    late = sa.or_(clock.state == ClockState.BREACHED.value, overdue)
    return (
        sa.select(
            clock.ticket_id.label("of_ticket"),
            sa.func.sum(sa.case((clock.state == ClockState.MET.value, 1), else_=0)).label("clocks_met"),
            sa.func.sum(sa.case((late, 1), else_=0)).label("clocks_breached"),
        )
        .join(scoped, scoped.c.ticket_id == clock.ticket_id)
        .group_by(clock.ticket_id)
        .subquery("clocks")
    )
