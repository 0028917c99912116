"""What became of the chats: confirmed, silent, came back within 7 days, escalated, or abandoned before an answer.

Each chat with a question is in exactly one part. Who came back is known only of customers who proved an order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from classifier.taxonomy import Taxonomy
from desk.database import Database
from desk.metrics.figures import Estimate, share
from desk.metrics.outcomes import COMES_BACK_MS, Milliseconds, chosen, milliseconds, plan_for_many, quarter_hours
from desk.metrics.query import MAX_TICKETS, group_name, period_name
from desk.metrics.scope import UNDECIDED, UNKNOWN, Dimension, FilterError, Period, Window, scope_json
from desk.tables import chat_sessions, chat_turns, orders, tickets

CUSTOMER, ANSWER, CLOSE, ESCALATED, CONFIRMED = "customer", "answer", "close", "escalated", "confirmed"


class Part(StrEnum):
    """How a chat ended."""

    CONFIRMED = "confirmed"
    SILENT = "silent"
    CAME_BACK = "came_back"
    ESCALATED = "escalated"
    ABANDONED = "abandoned"


class ChatDimension(StrEnum):
    """What chats can be filtered and grouped by."""

    SITE = "site"
    LANGUAGE = "language"
    REASON = "reason"


SHARES: dict[str, tuple[Part, ...]] = {
    "resolution": (Part.CONFIRMED,),
    "containment": (Part.CONFIRMED, Part.SILENT, Part.CAME_BACK),
    "deflection": (Part.CONFIRMED, Part.SILENT, Part.ABANDONED),
}
"""The usual three rates as sums of parts; see the definitions."""


@dataclass(frozen=True)
class ChatScope:
    """The chats that began in a window. ``filters`` take any case."""

    window: Window
    filters: Mapping[ChatDimension, tuple[str, ...]] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return scope_json(self.window, self.filters, self.now)


@dataclass(frozen=True)
class Chats:
    """The chats of a group. ``not_yet_known``: those confirmed or silent that may still come back within 7 days."""

    key: str | None
    name: str
    parts: dict[Part, int]
    not_yet_known: int
    days: int | None = None

    @property
    def n(self) -> int:
        """All chats with a question."""
        return sum(self.parts.values())

    def share(self, *parts: Part) -> Estimate | None:
        """The share of chats in any of ``parts``; None without chats."""
        return share(sum(self.parts[part] for part in parts), self.n)


@dataclass(frozen=True)
class DeflectionReport:
    """The chats of a scope as a whole and by group. ``no_question`` chats are left out of everything."""

    scope: ChatScope
    by: ChatDimension | Period | None
    total: Chats
    groups: tuple[Chats, ...]
    no_question: int


@dataclass(frozen=True, slots=True)
class ChatBehind:
    """One chat; ``ticket_id`` where a person got it."""

    session_id: str
    created_at: datetime
    part: Part
    reason: str | None
    ticket_id: str | None


def chat_grouping(name: str | None) -> ChatDimension | Period | None:
    """The dimension or period of this name. Raises `FilterError`."""
    if name is None:
        return None
    if name in {one.value for one in ChatDimension}:
        return ChatDimension(name)
    if name in {one.value for one in Period}:
        return Period(name)
    known = ", ".join([*ChatDimension, *Period])
    raise FilterError(f"by: chats cannot be grouped by {name!r}; choose one of: {known}")


def deflection_report(
    database: Database, taxonomy: Taxonomy, scope: ChatScope, by: ChatDimension | Period | None = None
) -> DeflectionReport:
    """Count the chats of ``scope`` by how they ended. Raises `DatabaseError`."""
    with database.session(read_only=True) as session:
        rows = _judged(session, scope).subquery("judged")
        key = _raw_key(rows, by)
        query = sa.select(key, rows.c.part, sa.func.count(), sa.func.sum(rows.c.recent))
        counted = session.execute(query.group_by(sa.literal_column("1"), rows.c.part)).all()
    whole: Counter[Any] = Counter()
    found: dict[Any, Counter[Any]] = defaultdict(Counter)
    spelling: dict[Any, Any] = {}
    for raw, part, chats, recent in counted:
        counts = Counter({part: chats, ("recent", part): int(recent or 0)})
        whole.update(counts)
        place = _key(raw, scope.window, by)
        same = place.casefold() if isinstance(place, str) else place
        found[spelling.setdefault(same, place)].update(counts)
    groups: list[Chats] = []
    if isinstance(by, Period):
        for first, days in scope.window.periods(by):
            groups.append(_chats(first.isoformat(), period_name(first, by), found[first], days))
    elif by is not None:
        groups = [_chats(key, _name(by, key, taxonomy), counts) for key, counts in found.items()]
        groups = [group for group in groups if group.n]
        groups.sort(key=lambda group: (group.key is None, -group.n, group.name))
    return DeflectionReport(scope, by, _chats(None, "All", whole), tuple(groups), whole[None])


def chats_behind(
    database: Database, scope: ChatScope, part: Part | None = None, *, limit: int = 100, offset: int = 0
) -> list[ChatBehind]:
    """The chats of one part, or of all, by time. Raises `DatabaseError`."""
    with database.session(read_only=True) as session:
        rows = _judged(session, scope).subquery("judged")
        wanted = rows.c.part.is_not(None) if part is None else rows.c.part == part.value
        columns = (rows.c.session_id, rows.c.created_at, rows.c.part, rows.c.reason, rows.c.ticket_id)
        query = sa.select(*columns).where(wanted).order_by(rows.c.created_at, rows.c.session_id)
        page = session.execute(query.limit(min(limit, MAX_TICKETS)).offset(offset))
        return [ChatBehind(id, at, Part(ended), reason, ticket) for id, at, ended, reason, ticket in page]


def _judged(session: Session, scope: ChatScope) -> sa.Select[Any]:
    """One row per chat of ``scope``; ``part`` is NULL where there was no question."""
    plan_for_many(session, chat_sessions.c.created_at, scope.window)
    chats = _chat_rows(scope)
    again = _came_back(chats).subquery("again")
    row = chats.c
    part = sa.case(
        (row.said == 0, None),
        (row.outcome == ESCALATED, Part.ESCALATED.value),
        (sa.and_(row.answers == 0, row.closings > 0), None),
        (row.answers == 0, Part.ABANDONED.value),
        (sa.or_(again.c.of_chat.is_not(None), row.outcome == Part.CAME_BACK.value), Part.CAME_BACK.value),
        (row.outcome == CONFIRMED, Part.CONFIRMED.value),
        else_=Part.SILENT.value,
    )
    may_come = sa.and_(
        row.last_ms + COMES_BACK_MS > milliseconds(scope.now), part.in_((Part.CONFIRMED.value, Part.SILENT.value))
    )
    query = sa.select(
        row.session_id, row.created_at, row.created_ms, row.site, row.language, row.reason, row.ticket_id,
        part.label("part"), sa.case((may_come, 1), else_=0).label("recent"),
    ).select_from(chats.outerjoin(again, again.c.of_chat == row.session_id))  # fmt: skip
    query = query.where(row.created_at >= scope.window.opens, row.created_at < scope.window.closes)
    for dimension, wanted in scope.filters.items():
        column = row[dimension.value]
        nothing = UNDECIDED if dimension is ChatDimension.REASON else UNKNOWN
        seen = set(session.scalars(sa.select(column).select_from(chats).distinct()))
        query = query.where(chosen(column, seen, wanted, nothing))
    return query


def _chat_rows(scope: ChatScope) -> sa.CTE:
    """Every chat since the window opened: later ones tell who came back."""
    state = sa.type_coerce(chat_sessions.c.state, sa.JSON)
    turn = chat_turns.c
    turns = (
        sa.select(
            turn.session_id,
            sa.func.sum(sa.case((turn.role == CUSTOMER, 1), else_=0)).label("said"),
            sa.func.sum(sa.case((turn.act == ANSWER, 1), else_=0)).label("answers"),
            sa.func.sum(sa.case((turn.act == CLOSE, 1), else_=0)).label("closings"),
            sa.func.max(Milliseconds(turn.at)).label("last_ms"),
        )
        .join(chat_sessions, chat_sessions.c.id == turn.session_id)
        .where(chat_sessions.c.created_at >= scope.window.opens)
        .group_by(turn.session_id)
        .subquery("turns")
    )
    proven = sa.cast(state["verified"].as_string(), sa.Text).in_(("true", "1"))
    created = Milliseconds(chat_sessions.c.created_at)
    return (
        sa.select(
            chat_sessions.c.id.label("session_id"),
            chat_sessions.c.created_at,
            created.label("created_ms"),
            sa.func.nullif(chat_sessions.c.site, "").label("site"),
            sa.func.nullif(chat_sessions.c.locale, "").label("language"),
            state["reason"].as_string().label("reason"),
            chat_sessions.c.ticket_id,
            chat_sessions.c.outcome,
            sa.case((proven, sa.func.nullif(state["order_id"].as_string(), ""))).label("order_id"),
            sa.func.coalesce(turns.c.said, 0).label("said"),
            sa.func.coalesce(turns.c.answers, 0).label("answers"),
            sa.func.coalesce(turns.c.closings, 0).label("closings"),
            sa.func.coalesce(turns.c.last_ms, created).label("last_ms"),
        )
        .select_from(chat_sessions.outerjoin(turns, turns.c.session_id == chat_sessions.c.id))
        .where(chat_sessions.c.created_at >= scope.window.opens)
        .cte("chats")
    )


def _came_back(chats: sa.CTE) -> sa.CompoundSelect[Any]:
    """Chats after which the customer came back within 7 days, recognised by the order that they proved."""
    later, own = chats.alias("later"), chats.c
    created = Milliseconds(tickets.c.created_at)

    def soon(moment: Any) -> Any:
        return sa.and_(own.order_id.is_not(None), moment > own.last_ms, moment <= own.last_ms + COMES_BACK_MS)

    of_chat = own.session_id.label("of_chat")
    about = sa.select(of_chat).join(tickets, tickets.c.order_id == own.order_id).where(soon(created))
    addressed = sa.func.lower(tickets.c.customer_email) == sa.func.lower(sa.func.nullif(orders.c.buyer_email, ""))
    by_mail = (
        sa.select(of_chat).join(orders, orders.c.order_id == own.order_id).join(tickets, addressed).where(soon(created))
    )
    other = sa.and_(later.c.order_id == own.order_id, later.c.session_id != own.session_id, later.c.said > 0)
    by_chat = sa.select(of_chat).join(later, other).where(soon(later.c.created_ms))
    return sa.union(about, by_mail, by_chat)


def _raw_key(rows: sa.FromClause, by: ChatDimension | Period | None) -> Any:
    if by is None:
        return sa.cast(sa.null(), sa.Text).label("key")
    if isinstance(by, ChatDimension):
        return rows.c[by.value].label("key")
    return quarter_hours(rows.c.created_ms).label("key")


def _key(raw: Any, window: Window, by: ChatDimension | Period | None) -> Any:
    return window.first_day(int(raw), by) if isinstance(by, Period) else raw


def _name(by: ChatDimension, key: str | None, taxonomy: Taxonomy) -> str:
    dimension = Dimension.REASON if by is ChatDimension.REASON else Dimension.LANGUAGE
    return group_name(dimension, key, taxonomy)


def _chats(key: str | None, name: str, counts: Counter[Any], days: int | None = None) -> Chats:
    parts = {part: counts[part.value] for part in Part}
    return Chats(key, name, parts, sum(counts["recent", part.value] for part in Part), days)
