"""The quarter measured: from the desk's tables, the model's signed figures and the files that were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from bot.autonomy import Dial
from bot.autonomy_steps import Turning
from bot.trust import starter_trust
from classifier.taxonomy import Autonomy
from desk.inbox import Desk
from desk.intervals import wilson
from desk.ledger import EventKind
from desk.metrics.definitions import Metric
from desk.metrics.deflection import ChatScope, DeflectionReport, deflection_report
from desk.metrics.figures import Estimate, Figure
from desk.metrics.macros import macro_report
from desk.metrics.query import MetricsReport, metrics_report
from desk.metrics.scope import Dimension, Scope, Window
from desk.metrics.upstream import upstream_report
from desk.tables import events, tickets
from desk.top_reasons import TopReasons, top_reasons
from training.quarterly.contents import (
    Cause,
    HandleTime,
    Kept,
    LabelHealth,
    Moved,
    Movement,
    Quarter,
    Quarterly,
    QuarterlyError,
    Trust,
)
from training.quarterly.decisions import decide
from training.quarterly.given_files import Given
from training.quarterly.model_quality import ModelStore, model_quality
from training.quarterly.sentences import five_sentences
from training.shift import PeriodOfTime, ShiftError, compare_periods, parse_period

__all__ = ["ModelStore", "measure", "quarter_of"]

SHOWN_HANDLE_TIMES = 10
KEPT = (
    Metric.FRT, Metric.TOTAL_RESOLUTION, Metric.FCR, Metric.AHT, Metric.CSAT, Metric.NPS, Metric.REOPEN_RATE,
    Metric.SLA_COMPLIANCE, Metric.MACRO_USE,
)  # fmt: skip


def quarter_of(text: str, today: date) -> Quarter:
    """``2026Q4`` and the quarter before it. Raises `QuarterlyError` for anything that is no quarter or lies ahead."""
    try:
        period = parse_period(text)
    except ShiftError as error:
        raise QuarterlyError(f"--quarter {text}: {error}") from error
    if "q" not in text.lower() or ".." in text:
        raise QuarterlyError(f"--quarter {text}: is no quarter; write one such as 2026Q4")
    if period.start > today:
        raise QuarterlyError(f"--quarter {text}: begins on {period.start}, which lies ahead")
    before = (period.start - timedelta(days=1)).replace(day=1)
    number = (before.month - 1) // 3 + 1
    earlier = parse_period(f"{before.year}Q{number}")
    label = f"{period.start.year}Q{(period.start.month - 1) // 3 + 1}"
    return Quarter(
        label=label,
        start=period.start,
        end=period.end,
        label_before=earlier.label,
        start_before=earlier.start,
        running=period.end > today,
        days=(min(period.end, today + timedelta(days=1)) - period.start).days,
        days_before=(earlier.end - earlier.start).days,
    )


def measure(
    desk: Desk,
    quarter: Quarter,
    given: Given,
    store: ModelStore | None,
    locked_macros: Mapping[str, int],
    now: datetime | None = None,
) -> Quarterly:
    """Everything that can be said about ``quarter`` today. ``locked_macros`` counts macros that serve, by reason.

    Raises `DatabaseError`, and `BundleError` for a champion that is not what was signed.
    """
    now = now or datetime.now(UTC)
    taxonomy = desk.taxonomy
    scope = Scope(Window(quarter.start, quarter.end), now=now)
    before = Scope(Window(quarter.start_before, quarter.start), now=now)
    top = top_reasons(desk, taxonomy, quarter.start, quarter.end)
    figures, earlier = (
        metrics_report(desk.database, taxonomy, one, Dimension.REASON) for one in (scope, before)
    )  # fmt: skip
    human_only = taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)
    report = Quarterly(
        quarter=quarter,
        top=top,
        tickets_before=earlier.total.figures[Metric.VOLUME].n,
        movement=given.movement or _counted(desk, quarter, top),
        causes=_causes(desk, top, scope, locked_macros),
        handle_times=_handle_times(figures, earlier),
        macros=macro_report(desk.database, taxonomy, scope) if top.total else None,
        deflection=_deflection(desk, quarter, now),
        kept=_kept(figures, earlier) if top.total else (),
        model=model_quality(store, taxonomy, human_only) if store else None,
        emerging=given.emerging,
        labels=_label_health(desk, quarter, given),
        trust=_trust(desk, now),
    )
    report = replace(report, decisions=decide(report))
    return replace(report, sentences=five_sentences(report))


def _counted(desk: Desk, quarter: Quarter, top: TopReasons) -> Movement | None:
    """The shares as counted; None where one of the quarters has no ticket with a reason."""
    periods = (
        PeriodOfTime(quarter.label_before, quarter.start_before, quarter.start),
        PeriodOfTime(quarter.label, quarter.start, quarter.end),
    )
    try:
        shift = compare_periods(desk, *periods)
    except ShiftError:
        return None
    names = {line.reason: line.name for line in top.reasons}
    return Movement(
        tuple(
            Moved(
                line.reason, names.get(line.reason, line.reason), line.baseline_share, line.current_share,
                line.change, line.low, line.high, line.significant, line.current_count,
            )
            for line in shift.reasons
            if line.reason in names
        ),
        corrected=False,
    )  # fmt: skip


def _causes(desk: Desk, top: TopReasons, scope: Scope, locked_macros: Mapping[str, int]) -> tuple[Cause, ...]:
    if not top.total:
        return ()
    weekly = {line.reason: line.weekly for line in upstream_report(desk.database, desk.taxonomy, scope).lines}
    return tuple(
        Cause(
            reason=line.reason,
            name=line.name,
            tickets=line.count,
            hours=line.count * line.aht_seconds.value / 3600 if line.aht_seconds else None,
            cause=line.cause,
            fix=line.upstream_fix,
            metrics_at_risk=line.metrics_at_risk,
            weekly=weekly.get(line.reason, ()),
            macros=locked_macros.get(line.reason, 0),
        )
        for line in top.top_five
    )


def _handle_times(now: MetricsReport, before: MetricsReport) -> tuple[HandleTime, ...]:
    """The reasons that take most hours."""
    earlier = {group.key: group.figures[Metric.AHT] for group in before.groups}
    found = []
    for group in now.groups:
        figure = group.figures[Metric.AHT]
        if group.key is None or figure.value is None:
            continue
        count = group.figures[Metric.VOLUME].n
        was = earlier.get(group.key)
        found.append(
            HandleTime(
                group.key, group.name, figure, was if was and was.n else None, count, count * figure.value / 3600
            )
        )
    return tuple(sorted(found, key=lambda one: -one.hours)[:SHOWN_HANDLE_TIMES])


def _kept(now: MetricsReport, before: MetricsReport) -> tuple[Kept, ...]:
    nothing = {metric: Figure(metric, 0) for metric in KEPT}
    then = before.total.figures
    return tuple(Kept(metric, now.total.figures[metric], then.get(metric, nothing[metric])) for metric in KEPT)


def _deflection(desk: Desk, quarter: Quarter, now: datetime) -> DeflectionReport | None:
    report = deflection_report(desk.database, desk.taxonomy, ChatScope(Window(quarter.start, quarter.end), now=now))
    return report if report.total.n else None


def _label_health(desk: Desk, quarter: Quarter, given: Given) -> LabelHealth | None:
    """What people said of the model's tags of tickets created in the quarter; the first word on a ticket counts."""
    window = Window(quarter.start, quarter.end)
    query = (
        sa.select(events.c.ticket_id, events.c.kind, events.c.data)
        .join(tickets, tickets.c.id == events.c.ticket_id)
        .where(
            events.c.kind.in_([EventKind.TAGGED, EventKind.TAG_CONFIRMED, EventKind.RETAGGED]),
            tickets.c.created_at >= window.opens,
            tickets.c.created_at < window.closes,
        )
        .order_by(events.c.seq)
    )
    tagged: set[str] = set()
    said: dict[str, bool] = {}
    with desk.database.session(read_only=True) as session:
        for ticket_id, kind, data in session.execute(query, execution_options={"yield_per": 10_000}):
            if kind == EventKind.TAGGED:
                tagged.add(ticket_id)
            elif ticket_id in tagged:
                said.setdefault(ticket_id, kind == EventKind.RETAGGED and bool(data.get("instead_of")))
    audit = given.audit
    if not said and audit is None:
        return None
    counted = Counter(said.values())
    n = len(said)
    return LabelHealth(
        looked_at=n,
        corrected=Estimate(counted[True] / n, *wilson(counted[True], n)) if n else None,
        audited=audit.n if audit else None,
        suspicious=audit.suspicious if audit else None,
        contradictions=audit.contradictions if audit else None,
    )


def _trust(desk: Desk, now: datetime) -> tuple[Trust, ...]:
    """Reasons on the dial of autonomy that have evidence either way; a share that grew is none."""
    settings = starter_trust()
    found = []
    for standing in Turning(Dial(desk.database, desk.taxonomy)).standings(now):
        told = standing.to_json(settings)
        if told["may_rise"] or (standing.against and standing.level.moved(-1)):
            found.append(
                Trust(
                    standing.reason,
                    desk.taxonomy[standing.reason].name("en"),
                    str(standing.level),
                    bool(told["may_rise"]),
                    standing.overall.n,
                    standing.against,
                )
            )
    return tuple(found)
