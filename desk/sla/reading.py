"""Policies and their verdicts as data for those who read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from desk.sla.clocks import Clock
from desk.sla.policies import Line, Policies, Subject
from desk.sla.policy_file import CalendarEntry


def policies_json(policies: Policies, now: datetime) -> dict[str, Any]:
    """The file, its calendars, and the lines that hold on the day of ``now``, most specific first."""
    day = now.astimezone(UTC).date()
    return {
        "file": str(policies.source),
        "checked": str(policies.file.checked) if policies.file.checked else None,
        "calendars": [_calendar(entry) for entry in policies.file.calendars],
        "policies": [_line(line) for line in policies.by_weight if line.entry.holds_on(day)],
    }


def explanation_json(policies: Policies, subject: Subject, clocks: Iterable[Clock], now: datetime) -> dict[str, Any]:
    """What the policies look at in a ticket, its clocks as of ``now``, and every line that was tried for each."""
    return {
        "now": now.isoformat(),
        "file": str(policies.source),
        "marketplace": subject.marketplace,
        "channel": subject.channel,
        "clocks": [
            {
                **clock.to_json(),
                "line": clock.match.line,
                "reason": clock.judged_as.reason,
                "priority": str(clock.judged_as.priority),
                "tried": [
                    {"policy": fit.line.id, "line": fit.line.line, "verdict": str(fit.verdict), "why": fit.why}
                    for fit in policies.explain(clock.kind, clock.judged_as, clock.started_at)
                ],
            }
            for clock in clocks
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    entry = line.entry
    return {
        "policy": entry.id,
        "line": line.line,
        "for": {name: sorted(values) for name, values in entry.conditions.items()},
        "since": str(entry.since) if entry.since else None,
        "until": str(entry.until) if entry.until else None,
        "targets": {str(clock): target.written for clock, target in entry.targets.items()},
        "calendar": entry.calendar,
        "pauses": entry.pauses,
        "at_risk": entry.at_risk,
        "source": entry.source,
    }


def _calendar(entry: CalendarEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json", exclude_defaults=True)
