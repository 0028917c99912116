"""The report in five sentences: volume and top five, what really moved, service, model, what to decide."""

from __future__ import annotations

from collections.abc import Sequence

from desk.intervals import rate_ratio, wilson
from desk.metrics.definitions import Metric
from desk.metrics.shown import seconds_text
from training.quarterly.conditions import percent, points
from training.quarterly.contents import Moved, Quarterly

NAMED = 3
"""Reasons named in a sentence; the section has all of them."""


def five_sentences(report: Quarterly) -> tuple[str, ...]:
    """Answer first; what was not measured is said, never left out."""
    return (_volume(report), _movement(report), _service(report), _model(report), _decisions(report))


def _volume(report: Quarterly) -> str:
    quarter, top = report.quarter, report.top
    if not top.total:
        holds = top.desk_holds
        span = (
            f"the desk holds {holds.tickets:,} tickets, from {holds.first:%Y-%m-%d} to {holds.last:%Y-%m-%d}"
            if holds.first and holds.last
            else "the desk is empty"
        )
        return f"{quarter.label} has no tickets; {span}."
    if not top.with_reason:
        return f"{quarter.label} brought {top.total:,} tickets, and none of them has a contact reason yet."
    share = sum(line.count for line in top.top_five) / top.with_reason
    names = _listed([line.name for line in top.top_five])
    so_far = " so far" if quarter.running else ""
    number = len(top.top_five)
    reasons = f"{number} reasons" if number > 1 else "one reason"
    return (
        f"{quarter.label} brought {top.total:,} tickets{so_far}, {_ratio(report)}; {percent(share)} of those with a "
        f"reason belong to {reasons}: {names}."
    )


def _ratio(report: Quarterly) -> str:
    """Tickets per day against the quarter before, with what chance alone allows."""
    quarter, top = report.quarter, report.top
    before = report.tickets_before
    if not before:
        return f"with none in {quarter.label_before} to compare with"
    value = (top.total / quarter.days) / (before / quarter.days_before) - 1
    low, high = (bound - 1 for bound in rate_ratio(top.total, quarter.days, before, quarter.days_before))
    word = "more" if value >= 0 else "fewer"
    if low <= 0 <= high:
        return f"about as many per day as in {quarter.label_before}"
    return f"{percent(abs(value))} {word} per day than in {quarter.label_before}"


def _movement(report: Quarterly) -> str:
    movement = report.movement
    if movement is None:
        quarter = report.quarter
        return f"What moved cannot be said: {quarter.label_before} or {quarter.label} has no tickets with a reason."
    real = movement.real
    if not real:
        return "No reason's share changed by more than chance."
    up = [line for line in real if line.change > 0]
    down = [line for line in real if line.change < 0]
    parts = [f"{word}: {_moves(lines)}" for word, lines in (("up", up), ("down", down)) if lines]
    rest = "; every other change is within chance" if len(real) < len(movement.lines) else ""
    return f"More than chance went {'; '.join(parts)}{rest}."


def _moves(lines: Sequence[Moved]) -> str:
    named = [
        f"{line.name} {points(line.change)} points ({points(line.low)} to {points(line.high)})"
        for line in lines[:NAMED]
    ]
    more = [f"{len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return _listed([*named, *more])


def _service(report: Quarterly) -> str:
    parts = []
    frt, sla, csat = (report.metric(metric) for metric in (Metric.FRT, Metric.SLA_COMPLIANCE, Metric.CSAT))
    if frt and frt.now.value is not None:
        before = f" (before: {seconds_text(frt.before.value)})" if frt.before.value is not None else ""
        parts.append(f"half of the tickets were answered within {seconds_text(frt.now.value)}{before}")
    if sla and sla.now.value is not None:
        before = f" (before: {percent(sla.before.value)})" if sla.before.value is not None else ""
        parts.append(f"{percent(sla.now.value)} of the service levels were kept{before}")
    if csat and csat.now.value is not None:
        parts.append(f"{percent(csat.now.value)} of {csat.now.n:,} ratings were good")
    if not parts:
        return "Neither answer times nor ratings were recorded."
    text = _listed(parts)
    return text[0].upper() + text[1:] + "."


def _model(report: Quarterly) -> str:
    model, top = report.model, report.top
    if model is None:
        return "No model serves, so tags come from people only; train one with `paretodesk train`."
    low, high = wilson(top.undecided, top.total)
    decided = f"It left {percent(top.undecided / top.total)} of the tickets undecided" if top.total else "It waits"
    wrong = "" if model.wrong_when_tagged is None else f", of which {percent(model.wrong_when_tagged)} wrong"
    guard = f", and its guard raised {percent(model.guard.value)} of human-only tickets" if model.guard else ""
    interval = f" (95% interval {percent(low)} to {percent(high)})" if top.total else ""
    return (
        f"The model names the right reason for {percent(model.accuracy.value)} of tickets that it never learned from, "
        f"tags {percent(model.tagged)} of them by itself{wrong}{guard}. {decided}{interval}."
    )


def _decisions(report: Quarterly) -> str:
    if not report.decisions:
        return "There is nothing to decide by our rules."
    number = len(report.decisions)
    first = report.decisions[0]
    many = f"{number} decisions are" if number > 1 else "One decision is"
    return f"{many} proposed; the first: {first.title[0].lower()}{first.title[1:]} ({first.owner})."


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
