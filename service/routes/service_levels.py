"""Service levels: the policies in force, the clocks that run out next, and how clocks of the past ended."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query

from desk.sla.clock_table import explained, open_clocks
from desk.sla.compliance import compliance
from desk.sla.durations import DurationError, duration
from desk.sla.reading import explanation_json, policies_json
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, allow
from service.windows import newest_window

router = APIRouter(prefix="/v1/service-levels", tags=["service levels"])

Written = Annotated[str | None, Query(max_length=40, description="a length of time: 30 min, 4 h, 2 days")]


@router.get("/policies", dependencies=[allow("tickets:read")])
def policies(services: ServicesDep) -> dict[str, Any]:
    """The policies in force today, most specific first, with their calendars and sources."""
    return policies_json(services.desk.policies, datetime.now(UTC))


@router.get("/clocks", dependencies=[allow("tickets:read")])
def clocks(
    services: ServicesDep,
    due_within: Written = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> dict[str, Any]:
    """Of each ticket that is owed something the clock that runs out first, soonest first; overdue ones included."""
    now = datetime.now(UTC)
    try:
        before = now + duration(due_within).length if due_within is not None else None
    except DurationError as error:
        raise ProblemError(422, f"query.due_within: {error}") from error
    found = open_clocks(services.database, now, before, limit + 1, offset)
    shown = [{"ticket_id": clock.ticket_id, **clock.to_json()} for clock in found[:limit]]
    return {"now": now.isoformat(), "clocks": shown, "more": len(found) > limit}


@router.get("/tickets/{ticket_id}", dependencies=[allow("tickets:read")])
def explain(ticket_id: str, services: ServicesDep) -> dict[str, Any]:
    """The clocks of one ticket computed from its ledger, and for each which policy line holds and why."""
    now, in_force = datetime.now(UTC), services.desk.policies
    subject, found = explained(services.database, ticket_id, in_force, now)
    return {"ticket_id": ticket_id, **explanation_json(in_force, subject, found, now)}


@router.get("/compliance", dependencies=[allow("reports:read")])
def met_of_all(
    services: ServicesDep,
    start: Annotated[date | None, Query(alias="from", description="first day, inclusive (UTC)")] = None,
    end: Annotated[date | None, Query(alias="to", description="day after the last (UTC)")] = None,
) -> dict[str, Any]:
    """Met / (met + breached) by clock and policy, of the clocks that started in a window; overdue is breached."""
    first, after = newest_window(services.desk, start, end)
    bounds = [datetime.combine(day, time(), UTC) for day in (first, after)]
    found = compliance(services.database, bounds[0], bounds[1], datetime.now(UTC))
    return {"from": str(first), "to": str(after), "compliance": [one.to_json() for one in found]}
