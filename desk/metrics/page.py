"""The metrics as one HTML page that needs nothing else: no script, no request, prints as it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from classifier.taxonomy import Taxonomy
from desk.database import Database
from desk.metrics import shown
from desk.metrics.charts import PART_COLOURS, parts_svg, trend_svg, weekly_svg
from desk.metrics.definitions import Metric, definitions
from desk.metrics.deflection import SHARES, ChatDimension, ChatScope, DeflectionReport, Part, deflection_report
from desk.metrics.documents import Link
from desk.metrics.macros import AFTER, MacroReport, macro_report
from desk.metrics.query import Group, MetricsReport, Side, metrics_reports
from desk.metrics.scope import Dimension, Grouping, Period, Scope
from desk.metrics.upstream import UpstreamReport, upstream_report
from desk.report_page import TEMPLATES, grouped, percent

DAILY_UP_TO = 21
"""Longer windows are charted by week."""
TABLE = (Metric.FRT, Metric.FCR, Metric.AHT, Metric.CSAT, Metric.REOPEN_RATE, Metric.SLA_COMPLIANCE, Metric.MACRO_USE)
CHARTS = (Metric.VOLUME, Metric.FRT, Metric.FCR, Metric.CSAT, Metric.SLA_COMPLIANCE, Metric.AHT)
MACRO_LINES = 20
GROUP_LINES = 60


@dataclass(frozen=True)
class Overview:
    """What a page shows; a section that is None is left out. ``groups`` is measured by what the reader asked for."""

    scope: Scope | ChatScope
    groups: MetricsReport | None = None
    trend: MetricsReport | None = None
    macros: MacroReport | None = None
    deflection: DeflectionReport | None = None
    upstream: UpstreamReport | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What to say of filters that nothing fits."""
        asked = self.groups or self.macros
        return asked.notices if asked else ()


def overview(database: Database, taxonomy: Taxonomy, scope: Scope, by: Grouping | None = None) -> Overview:
    """Every section for ``scope``; the table is by contact reason unless told otherwise. Raises `DatabaseError`.

    Chats have no channel, agent and so on: with such filters their section is left out.
    """
    every = Period.DAY if scope.window.days <= DAILY_UP_TO else Period.WEEK
    groups, trend = metrics_reports(database, taxonomy, scope, (by or Dimension.REASON, every))
    return Overview(
        scope,
        groups,
        trend,
        macro_report(database, taxonomy, scope),
        deflection_report(database, taxonomy, chats) if (chats := chat_scope(scope)) else None,
        upstream_report(database, taxonomy, scope),
    )


def chat_scope(scope: Scope) -> ChatScope | None:
    """The chats of the same window and filters; None where chats cannot be filtered so."""
    known = {one.value for one in ChatDimension}
    if any(dimension.value not in known for dimension in scope.filters):
        return None
    filters = {ChatDimension(dimension.value): values for dimension, values in scope.filters.items()}
    return ChatScope(scope.window, filters, scope.now)


def render(view: Overview, *, link: Link | None = None, made_at: datetime | None = None) -> str:
    """The page as HTML text; ``link`` leads from a figure to its tickets where a server can show them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "grouped": grouped,
        "percent": percent,
        "figure": shown.figure_text,
        "interval": shown.figure_interval,
        "difference": shown.difference_text,
        "ratio": shown.ratio_text,
        "value": shown.value_text,
    }
    words = definitions()
    return environment.get_template("metrics.html").render(
        view=view,
        words=words,
        metrics={one.id: one for one in words.metrics},
        table=TABLE,
        after=AFTER,
        charts=_charts(view),
        spark=_spark(view),
        parts_chart=_markup(parts_svg(view.deflection.total)) if view.deflection else None,
        parts={word.id: (Part(word.id), word) for word in words.deflection},
        part_colours=PART_COLOURS,
        shares={word.id: (SHARES[word.id], word) for word in words.deflection_shares},
        macro_lines=MACRO_LINES,
        group_lines=GROUP_LINES,
        href=_href(view, link),
        made_at=(made_at or datetime.now(UTC)).astimezone(UTC),
        is_dimension=view.groups is not None and isinstance(view.groups.by, Dimension),
    )


def _href(view: Overview, link: Link | None) -> Callable[[Group | None, Metric], str | None]:
    def href(group: Group | None, metric: Metric) -> str | None:
        if link is None or view.groups is None:
            return None
        whole = view.groups.scope
        scope = whole if group is None else whole.narrowed(view.groups.by, group.key)
        return link(scope, metric, Side.COUNTED)

    return href


def _charts(view: Overview) -> list[tuple[Metric, Markup]]:
    if view.trend is None:
        return []
    drawn = [(metric, _markup(trend_svg(view.trend, metric))) for metric in CHARTS]
    return [(metric, chart) for metric, chart in drawn if chart is not None]


def _spark(view: Overview) -> Callable[[Any], Markup]:
    days = [length for _, length in view.upstream.weeks] if view.upstream else []
    return lambda line: Markup(weekly_svg(line, days))  # noqa: S704  # numbers only


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)  # noqa: S704  # drawn here; no name of a customer's making in it
