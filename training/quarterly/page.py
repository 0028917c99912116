"""The quarterly report as one HTML page that needs nothing else: no script, no request, prints as it looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from desk.charts import pareto_svg
from desk.metrics import shown
from desk.metrics.charts import PART_COLOURS, parts_svg, weekly_svg
from desk.metrics.definitions import Metric, Unit, definitions
from desk.metrics.deflection import SHARES, Part
from desk.metrics.upstream import UpstreamLine
from desk.report_page import NARROW, TEMPLATES, WIDE, grouped, percent
from desk.report_page import points as signed_points
from training.quarterly.charts import movement_svg
from training.quarterly.contents import Cause, Moved, Quarterly, Section
from training.quarterly.decisions import starter_rules

OWN = Path(__file__).parent / "templates"
MACRO_LINES = 8

TITLES = {
    Section.DECISIONS: "Decisions to take",
    Section.TOP_FIVE: "Top five",
    Section.MOVEMENT: "What moved",
    Section.CAUSES: "Root causes and fixes",
    Section.HANDLE_TIME: "Handle time",
    Section.MACROS: "Macros",
    Section.DEFLECTION: "Chats and deflection",
    Section.SERVICE: "Service levels and satisfaction",
    Section.MODEL: "Model quality",
    Section.EMERGING: "Emerging reasons",
    Section.LABELS: "Label health",
}


def render(report: Quarterly, made_at: datetime | None = None) -> str:
    """The page as HTML text. ``made_at`` defaults to now and is printed in UTC."""
    environment = Environment(
        loader=FileSystemLoader([OWN, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "grouped": grouped,
        "percent": percent,
        "points": signed_points,
        "figure": shown.figure_text,
        "interval": shown.figure_interval,
        "difference": shown.difference_text,
        "seconds": shown.seconds_text,
        "share_interval": lambda estimate: shown.interval_text(estimate, Unit.SHARE),
        "seconds_interval": lambda estimate: shown.interval_text(estimate, Unit.SECONDS),
    }
    words = definitions()
    limits = {rule.id: rule.limits for rule in starter_rules().rules}
    return environment.get_template("quarterly.html").render(
        report=report,
        quarter=report.quarter,
        top=report.top,
        last_day=report.quarter.end - timedelta(days=1),
        sections=[(section.value, TITLES[section]) for section in Section],
        title={section.value: TITLES[section] for section in Section},
        metrics={word.id: word for word in words.metrics},
        sla=Metric.SLA_COMPLIANCE,
        sla_target=limits["sla"]["share"],
        charts=_charts(report),
        spark=_sparks(report),
        parts={word.id: (Part(word.id), word) for word in words.deflection},
        shares={word.id: (SHARES[word.id], word) for word in words.deflection_shares},
        part_colours=PART_COLOURS,
        macro_lines=MACRO_LINES,
        moved=_moved(report),
        after=(Metric.FCR, Metric.CSAT),
        made_at=(made_at or datetime.now(UTC)).astimezone(UTC),
    )


def _moved(report: Quarterly) -> list[Moved]:
    """The changes worth a line: what is more than chance, and the top five."""
    topmost = {line.reason for line in report.top.top_five}
    lines = report.movement.lines if report.movement else ()
    return [line for line in lines if line.real or line.reason in topmost]


def _charts(report: Quarterly) -> dict[str, Markup | None]:
    drawn: dict[str, str | None] = {}
    for size, width in (("wide", WIDE), ("narrow", NARROW)):
        drawn[f"pareto_{size}"] = pareto_svg(report.top, width) if report.top.with_reason else None
        drawn[f"movement_{size}"] = movement_svg(report.movement.lines, width) if report.movement else None
    drawn["parts"] = parts_svg(report.deflection.total) if report.deflection else None
    return {name: Markup(svg) if svg else None for name, svg in drawn.items()}  # noqa: S704  # drawn here, names escaped


def _sparks(report: Quarterly) -> dict[str, Markup]:
    """A small chart of the weeks of each cause; the first and the last week of a quarter may be short."""
    weeks = max((len(cause.weekly) for cause in report.causes), default=0)
    lengths = [7] * weeks
    if weeks:
        lengths[0] = 7 - report.quarter.start.weekday()
        lengths[-1] = report.quarter.end.weekday() or 7
    return {
        cause.reason: Markup(weekly_svg(_line(cause), lengths))  # noqa: S704  # numbers only
        for cause in report.causes
        if cause.weekly
    }


def _line(cause: Cause) -> UpstreamLine:
    """The cause as the chart of weeks reads it."""
    return UpstreamLine(
        cause.reason, cause.name, cause.tickets, cause.weekly, None, cause.cause, cause.fix, cause.metrics_at_risk
    )
