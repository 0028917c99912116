"""SLA compliance: met / (met + breached). An overdue clock that is still open counts as breached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from desk.database import Database
from desk.sla.clocks import ClockState
from desk.tables import sla_clocks


@dataclass(frozen=True, slots=True)
class Compliance:
    """How the clocks of one kind and policy ended; ``waiting`` ones are neither met nor breached yet."""

    clock: str
    policy: str
    met: int
    breached: int
    waiting: int
    cancelled: int

    @property
    def share(self) -> float | None:
        """Met of met and breached, 0 to 1; None where neither happened."""
        judged = self.met + self.breached
        return self.met / judged if judged else None

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        counts = {name: getattr(self, name) for name in ("met", "breached", "waiting", "cancelled")}
        return {"clock": self.clock, "policy": self.policy, **counts, "compliance": self.share}


def compliance(database: Database, start: datetime, end: datetime, now: datetime) -> list[Compliance]:
    """The clocks that started from ``start`` to before ``end``, by kind and policy, as of ``now``."""
    still = sla_clocks.c.stopped_at.is_(None)
    judged = sa.case(
        (sa.and_(still, sla_clocks.c.due_at < now), str(ClockState.BREACHED)),
        (sa.and_(still, sla_clocks.c.due_at >= now), str(ClockState.RUNNING)),
        else_=sla_clocks.c.state,
    ).label("judged")
    query = (
        sa.select(sla_clocks.c.clock, sla_clocks.c.policy, judged, sa.func.count().label("clocks"))
        .where(sla_clocks.c.started_at >= start, sla_clocks.c.started_at < end)
        .group_by(sla_clocks.c.clock, sla_clocks.c.policy, "judged")
        .order_by(sla_clocks.c.clock, sla_clocks.c.policy)
    )
    counts: dict[tuple[str, str], dict[str, int]] = {}
    with database.session(read_only=True) as session:
        for row in session.execute(query):
            counts.setdefault((row.clock, row.policy), {})[row.judged] = row.clocks
    return [
        Compliance(
            clock,
            policy,
            met=found.get("met", 0),
            breached=found.get("breached", 0),
            waiting=found.get("running", 0) + found.get("paused", 0),
            cancelled=found.get("cancelled", 0),
        )
        for (clock, policy), found in counts.items()
    ]
