"""Charts of the metrics page as inline SVG: one metric over time with its interval, and a bar of parts."""

from __future__ import annotations

from typing import Any, Final

from desk.charts import BAR, REST, svg_of
from desk.metrics.definitions import Metric, Unit, definitions
from desk.metrics.deflection import Chats, Part
from desk.metrics.query import Group, MetricsReport
from desk.metrics.shown import value_text
from desk.metrics.upstream import UpstreamLine

WIDTH, HEIGHT = 400, 150
PART_COLOURS: Final = {
    Part.CONFIRMED: "#2e8b57",
    Part.SILENT: "#8fb8a2",
    Part.CAME_BACK: "#d9a441",
    Part.ESCALATED: "#2f6fb7",
    Part.ABANDONED: "#8d99a6",
}
_SCALES: Final = {Unit.SECONDS: (1 / 3600, "hours"), Unit.SHARE: (100.0, "%"), Unit.POINTS: (1.0, "points"),
                  Unit.TICKETS: (1.0, "tickets per day")}  # fmt: skip
_SHORT = 2 * 3600


def trend_svg(report: MetricsReport, metric: Metric) -> str | None:
    """The metric by period with the 95% interval as a band; None with fewer than two periods that have it."""
    import altair as alt  # takes a second, and most commands draw nothing

    unit = definitions()[metric].unit
    factor, title = _scale(report.groups, metric, unit)
    rows = [row for group in report.groups if (row := _point(group, metric, factor))]
    if len(rows) < 2:
        return None
    every = -(-len(report.groups) // 6)
    axis = alt.Axis(
        values=[str(group.key) for group in report.groups[::every]],
        labelExpr="utcFormat(datetime(datum.value), '%d %b')",
        labelAngle=0,
        grid=False,
    )
    domain = [group.key for group in report.groups]
    x = alt.X("start:O", title=None, axis=axis, scale=alt.Scale(type="point", padding=0.3, domain=domain))
    scale = alt.Scale(domain=[0, 100]) if unit is Unit.SHARE else alt.Scale(zero=unit is not Unit.POINTS)
    y = alt.Y("value:Q", title=title, axis=alt.Axis(tickCount=4, domain=False), scale=scale)
    base = alt.Chart(alt.InlineData(values=rows))
    band = base.mark_area(color=BAR, opacity=0.18).encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q")
    line = base.mark_line(color=BAR, strokeWidth=2, point=alt.OverlayMarkDef(size=22, color=BAR)).encode(x=x, y=y)
    chart = alt.layer(band, line).properties(width=WIDTH - 55, height=HEIGHT)
    return svg_of(chart, f"{definitions()[metric].name} over time")


def parts_svg(chats: Chats) -> str | None:
    """One bar of the five parts; None without chats."""
    import altair as alt

    if not chats.n:
        return None
    rows = [
        {"part": part.value, "share": chats.parts[part] / chats.n, "place": place} for place, part in enumerate(Part)
    ]
    colours = alt.Scale(domain=[part.value for part in Part], range=[PART_COLOURS[part] for part in Part])
    axis = alt.Axis(format=".0%", domain=False, ticks=False, tickCount=5)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(height=28)
        .encode(
            x=alt.X("share:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("part:N", scale=colours, legend=None),
            order="place:Q",
        )
        .properties(width=880, height=36)
    )
    return svg_of(chart, "How the chats ended")


def weekly_svg(line: UpstreamLine, days: list[int]) -> str:
    """Bars of tickets per day of each week, as high as the highest; weeks cut by the window are paler."""
    width, height, gap = 7, 26, 2
    rates = [count / length if length else 0.0 for count, length in zip(line.weekly, days, strict=True)]
    top = max(rates, default=0.0) or 1.0
    bars = "".join(
        f'<rect x="{place * (width + gap)}" y="{height - size:.1f}" width="{width}" height="{size:.1f}" '
        f'fill="{BAR if length == 7 else REST}"/>'
        for place, (rate, length) in enumerate(zip(rates, days, strict=True))
        if (size := max(1.0, height * rate / top)) and rate
    )
    label = f"{value_text(line.tickets, Unit.TICKETS)} tickets in {len(days)} weeks"
    span = max(1, len(days)) * (width + gap)
    frame = f'role="img" aria-label="{label}" width="{span}" height="{height}" viewBox="0 0 {span} {height}"'
    return f"<svg {frame}>{bars}</svg>"


def _point(group: Group, metric: Metric, factor: float) -> dict[str, Any] | None:
    estimate = group.figures[metric].estimate
    if estimate is None:
        return None
    per = factor / group.days if metric is Metric.VOLUME and group.days else factor
    low, high = (estimate.value if bound is None else bound for bound in (estimate.low, estimate.high))
    return {"start": group.key, "value": estimate.value * per, "low": low * per, "high": high * per}


def _scale(groups: tuple[Group, ...], metric: Metric, unit: Unit) -> tuple[float, str]:
    values = [group.figures[metric].value for group in groups]
    if unit is Unit.SECONDS and max((value for value in values if value is not None), default=0.0) < _SHORT:
        return 1 / 60, "minutes"
    return _SCALES[unit]
