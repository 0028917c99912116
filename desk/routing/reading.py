"""What routing says about a ticket, as data for those who read it."""

from __future__ import annotations

from typing import Any

from desk.routing.engine import Outcome
from desk.routing.rules import Routing


def outcome_json(routing: Routing, outcome: Outcome) -> dict[str, Any]:
    """What the rules looked at, every rule in order, who was considered, and what would change."""
    subject, decided = outcome.subject, outcome.decided
    left = subject.sla_left
    return {
        "file": str(routing.source),
        "ticket": {
            "reason": subject.reason,
            "further_reason": list(subject.further_reason),
            "autonomy": subject.autonomy,
            "decision": subject.decision,
            "confidence": subject.confidence,
            "language": subject.language,
            "marketplace": subject.marketplace,
            "channel": subject.channel,
            "sentiment": subject.sentiment,
            "urgency": subject.urgency,
            "guard": list(subject.guard),
            "order_value": str(subject.order_value) if subject.order_value else None,
            "sla_left_seconds": left.total_seconds() if left is not None else None,
            "earlier_contacts": subject.earlier_contacts,
        },
        "team": decided.team,
        "team_name": routing.team_name(decided.team) if decided.team else None,
        "assignee": outcome.choice.member.name if outcome.choice and outcome.choice.member else None,
        "priority": str(decided.priority) if decided.priority else None,
        "held_by": outcome.held_by,
        "changes": dict(outcome.changes),
        "rule": outcome.rule,
        "why": outcome.why,
        "rules": [
            {
                "rule": fit.rule.id,
                "line": fit.rule.line,
                "matched": fit.matched,
                "decides": list(fit.decides),
                "why": fit.why,
            }
            for fit in decided.fits
        ],
        "members": [
            {"name": one.member.name, "can_take_it": one.why is None, "why": one.why}
            for one in (outcome.choice.considered if outcome.choice else ())
        ],
    }
