"""Reports as plain data for JSON. Keys are stable; shares are in 0..1, durations in seconds, the NPS in points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from desk.metrics.definitions import definitions
from desk.metrics.deflection import SHARES, ChatBehind, Chats, ChatScope, DeflectionReport, Part
from desk.metrics.macros import MacroReport
from desk.metrics.query import Group, MetricsReport, Side, TicketsBehind
from desk.metrics.scope import Scope
from desk.metrics.upstream import UpstreamReport

Link = Callable[[Scope, str, Side], str]
"""Where the tickets behind a metric of a scope are listed."""


def metrics_document(report: MetricsReport, link: Link) -> dict[str, Any]:
    """Every figure with its definition and a link to the tickets behind it."""
    holds = report.desk_holds
    words = definitions()
    return {
        **report.scope.to_json(),
        "by": report.by,
        "total": _group(report, report.total, link),
        "groups": [_group(report, group, link) for group in report.groups],
        "definitions": {str(metric): words[metric].model_dump(mode="json") for metric in report.total.figures},
        "notices": list(report.notices),
        "desk_holds": {
            "tickets": holds.tickets,
            "first": holds.first.isoformat() if holds.first else None,
            "last": holds.last.isoformat() if holds.last else None,
        },
    }


def tickets_document(behind: TicketsBehind) -> dict[str, Any]:
    """A page of tickets."""
    words = definitions()[behind.metric]
    return {
        **behind.scope.to_json(),
        "metric": behind.metric,
        "side": behind.side,
        "unit": words.unit,
        "definition": words.definition,
        "total": behind.total,
        "tickets": [
            {
                "ticket_id": ticket.ticket_id,
                "created_at": ticket.created_at.isoformat(),
                "reason": ticket.reason,
                "value": ticket.value,
                "hit": ticket.hit,
            }
            for ticket in behind.tickets
        ],
        "notices": list(behind.notices),
    }


def macros_document(report: MacroReport) -> dict[str, Any]:
    """What happened after each macro."""
    return {
        **report.scope.to_json(),
        "note": definitions().macros_note,
        "answered": report.answered,
        "with_macro": report.with_macro,
        "macros": [
            {
                "macro": line.macro,
                "reason": line.reason,
                "reason_name": line.reason_name,
                "used": line.used,
                "answered": line.answered,
                "share": line.share.to_json(),
                **{str(metric): after.to_json() for metric, after in line.after.items()},
            }
            for line in report.lines
        ],
        "notices": list(report.notices),
    }


def deflection_document(report: DeflectionReport) -> dict[str, Any]:
    """What became of the chats."""
    words = definitions()
    return {
        **report.scope.to_json(),
        "by": report.by,
        "note": words.deflection_note,
        "total": _chats(report.total),
        "groups": [_chats(group) for group in report.groups],
        "no_question": report.no_question,
        "definitions": {word.id: word.definition for word in (*words.deflection, *words.deflection_shares)},
    }


def chats_document(scope: ChatScope, part: Part | None, chats: list[ChatBehind]) -> dict[str, Any]:
    """A page of chats."""
    return {
        **scope.to_json(),
        "part": part,
        "chats": [
            {
                "session_id": chat.session_id,
                "created_at": chat.created_at.isoformat(),
                "part": chat.part,
                "reason": chat.reason,
                "ticket_id": chat.ticket_id,
            }
            for chat in chats
        ],
    }


def upstream_document(report: UpstreamReport) -> dict[str, Any]:
    """Reasons by week with causes and fixes."""
    return {
        **report.scope.to_json(),
        "note": definitions().upstream_note,
        "weeks": [{"start": start, "days": days} for start, days in report.weeks],
        "reasons": [
            {
                "reason": line.reason,
                "name": line.name,
                "tickets": line.tickets,
                "weekly": list(line.weekly),
                "change": line.change.to_json() if line.change else None,
                "cause": line.cause,
                "upstream_fix": line.upstream_fix,
                "metrics_at_risk": list(line.metrics_at_risk),
            }
            for line in report.lines
        ],
    }


def definitions_document() -> dict[str, Any]:
    """The wording of every metric."""
    return definitions().model_dump(mode="json")


def _group(report: MetricsReport, group: Group, link: Link) -> dict[str, Any]:
    whole = group is report.total
    scope = report.scope if whole else report.scope.narrowed(report.by, group.key)
    figures = {
        str(metric): figure.to_json() | {"tickets": link(scope, metric, Side.COUNTED)}
        for metric, figure in group.figures.items()
    }
    days = {} if group.days is None else {"days": group.days}
    return {"key": group.key, "name": group.name, **days, "figures": figures}


def _chats(chats: Chats) -> dict[str, Any]:
    days = {} if chats.days is None else {"days": chats.days}
    shares: dict[str, tuple[Part, ...]] = {part.value: (part,) for part in Part} | SHARES
    data: dict[str, Any] = {"key": chats.key, "name": chats.name, **days, "n": chats.n}
    for name, parts in shares.items():
        estimate = chats.share(*parts)
        count = sum(chats.parts[part] for part in parts)
        data[name] = {
            "count": count,
            **(estimate.to_json() if estimate else {"value": None, "low": None, "high": None}),
        }
    return data | {"not_yet_known": chats.not_yet_known}
