"""Tells the ledger which clocks are at risk and which have run out, once each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from desk.database import Database
from desk.ledger import Event, EventKind, append_many, lock
from desk.sla.clock_table import Progress, in_force, rebuild, refresh
from desk.sla.clocks import Clock
from desk.sla.policies import Policies
from desk.tables import sla_clocks

ACTOR = "sla"
BATCH = 500  # tickets to a transaction


@dataclass(frozen=True, slots=True)
class Watched:
    """What a look found: new warnings, new breaches, and how many tickets were recomputed for changed policies."""

    at_risk: int
    breached: int
    recomputed: int = 0


def watch(
    database: Database, policies: Policies, now: datetime | None = None, progress: Progress | None = None
) -> Watched:
    """Append `SLA_AT_RISK` and `SLA_BREACHED` for the clocks that passed those moments before ``now``.

    Each clock (by kind and start) is told once of each; one that ran out unwatched is told as breached only. The events
    carry the moment at which it happened. Safe to run again, and by several processes at the same time: tickets are
    locked and their clocks computed anew from the ledger before anything is told. Where the stored clocks were computed
    by other policies, all are computed anew first; ``progress`` hears of that.
    """
    moment = now or datetime.now(UTC)
    recomputed = 0 if in_force(database, policies) else rebuild(database, policies, moment, progress)
    kinds: list[EventKind] = []
    query = sa.select(sla_clocks.c.ticket_id).where(sla_clocks.c.look_at < moment)
    query = query.order_by(sla_clocks.c.look_at).limit(BATCH)
    while True:
        with database.session() as session:
            ids = sorted(set(session.scalars(query)))
            if not ids:
                break
            lock(session, ids)
            facts = list(_facts(refresh(session, ids, policies, moment), moment))
            append_many(session, facts)
            refresh(session, ids, policies, moment)
        kinds += [fact.kind for fact in facts]
    return Watched(kinds.count(EventKind.SLA_AT_RISK), kinds.count(EventKind.SLA_BREACHED), recomputed)


def _facts(found: Mapping[str, Iterable[Clock]], now: datetime) -> Iterable[Event]:
    for ticket_id, clocks in found.items():
        for clock in clocks:
            if clock.look_at is None or clock.look_at >= now or clock.due_at is None:
                continue
            breached = clock.due_at < now
            data = {
                "clock": str(clock.kind),
                "policy": clock.policy,
                "started_at": clock.started_at.isoformat(),
                "due_at": clock.due_at.isoformat(),
            }
            kind = EventKind.SLA_BREACHED if breached else EventKind.SLA_AT_RISK
            yield Event(ticket_id, kind, clock.due_at if breached else clock.look_at, ACTOR, data)
