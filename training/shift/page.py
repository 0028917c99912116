"""The corrected comparison as one HTML page that needs nothing else: no script, no request, prints as it looks."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from classifier.taxonomy import Taxonomy
from desk.charts import BAR, REST, ROW_HEIGHT, svg_of
from desk.report_page import NARROW, TEMPLATES, WIDE, grouped, percent, points
from training.shift.alarms import Alarm
from training.shift.estimate import EstimatedChange, EstimatedShift

CHARTED = 15
"""Reasons in the chart, those that changed most."""
SHOWN_FROM = 0.0005
"""Reasons below this share in both periods are left out of the table; the JSON has them."""


def render_shift(
    shift: EstimatedShift,
    then: str,
    now: str,
    alarms: Sequence[Alarm],
    taxonomy: Taxonomy,
    locale: str = "en",
    made_at: datetime | None = None,
) -> str:
    """The page as HTML text; ``then`` and ``now`` are the labels of the periods. ``made_at`` defaults to now."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, TEMPLATES]),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    )  # fmt: skip

    def name(reason: str) -> str:
        return taxonomy[reason].name(locale) if reason in taxonomy else reason

    environment.filters |= {"percent": percent, "points": points, "grouped": grouped, "name": name}
    shown = [line for line in shift.reasons if max(line.baseline.value, line.current.value) >= SHOWN_FROM]
    labelled = [(line, name(line.reason)) for line in shown[:CHARTED]]
    charts = {
        size: Markup(changes_svg(labelled, width))  # noqa: S704  # drawn here, names escaped
        for size, width in (("wide", WIDE), ("narrow", NARROW))
    }
    return environment.get_template("page.html").render(
        shift=shift, lines=shown, then=then, now=now, alarms=alarms, charts=charts, shown_from=SHOWN_FROM,
        made_at=(made_at or datetime.now(UTC)).astimezone(UTC),
    )  # fmt: skip


def changes_svg(lines: Sequence[tuple[EstimatedChange, str]], width: int) -> str:
    """Each reason's change in points with its interval, real ones in colour; ``width`` in CSS pixels."""
    import altair as alt  # takes a second, and most commands draw nothing

    wide = width > 500
    names_width = 225 if wide else 122
    rows: list[dict[str, Any]] = [
        {
            "name": "\n".join(textwrap.wrap(name, 34 if wide else 17)[:2]),
            "change": 100 * line.change,
            "low": 100 * line.low,
            "high": 100 * line.high,
            "real": line.real,
        }
        for line, name in lines
    ]
    names = alt.Axis(
        labelExpr="split(datum.label, '\\n')", labelLimit=0, minExtent=names_width, maxExtent=names_width,
        ticks=False, domain=False,
    )  # fmt: skip
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("name:N", sort=[row["name"] for row in rows], title=None, axis=names),
        color=alt.Color("real:N", scale=alt.Scale(domain=[True, False], range=[BAR, REST]), legend=None),
    )
    axis = alt.Axis(orient="top", domain=False, ticks=False, titleFontWeight=400, format="+.0f")
    spans = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="Change of the share, percentage points", axis=axis), x2="high:Q"
    )
    dots = base.mark_point(size=60, filled=True, opacity=1).encode(x="change:Q")
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color=REST, strokeDash=[5, 4]).encode(x="at:Q")
    chart = alt.layer(zero, spans, dots).properties(width=width - names_width - 20, height=ROW_HEIGHT * len(rows))
    return svg_of(chart, f"Changes of {len(rows)} contact reasons with 95% intervals")
