"""Charts of the top-reasons report as inline SVG, drawn without a browser or a network."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final

from desk.top_reasons import Period, ReasonLine, TopReasons

BAR, REST, LINE = "#2f6fb7", "#8d99a6", "#c2571a"
TREND_COLOURS: Final = ["#2f6fb7", "#c2571a", "#2e8b57", "#a23b72", "#8a7500"]
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"  # vl-convert carries the first, which measures like Arial
ROW_HEIGHT = 34
MAX_BARS = 15


def pareto_svg(report: TopReasons, width: int) -> str:
    """Bars of each reason's share and the cumulative line with the 80% mark; ``width`` in CSS pixels."""
    import altair as alt  # takes a second, and most commands draw nothing

    wide = width > 500
    rows = [_bar(line, label_chars=34 if wide else 17) for line in report.reasons if line.count][:MAX_BARS]
    names_width, numbers_width = (225, 96) if wide else (122, 46)
    plot_width = width - names_width - numbers_width - 12
    names = alt.Axis(
        labelExpr="split(datum.label, '\\n')",
        labelLimit=0,
        minExtent=names_width,  # reserved, not measured: the reader's font may be wider than ours
        maxExtent=names_width,
        ticks=False,
        domain=False,
    )
    shares = alt.Axis(
        format=".0%",
        values=[0.2, 0.4, 0.6, 0.8, 1.0] if wide else [0.4, 0.8],
        orient="top",
        domain=False,
        ticks=False,
        titleFontWeight=400,
    )
    y = alt.Y("name:N", sort=[row["name"] for row in rows], title=None, axis=names)
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, 1]), axis=shares, title="Share of tickets with a reason")
    colour = alt.Color("in_80:N", scale=alt.Scale(domain=[True, False], range=[BAR, REST]), legend=None)
    base = alt.Chart(alt.InlineData(values=rows))
    bars = base.mark_bar(height=16, cornerRadiusEnd=2).encode(x=x, y=y, color=colour)
    text = "numbers:N" if wide else "percent:N"
    numbers = base.mark_text(align="left", dx=8, fontSize=12).encode(x=alt.value(plot_width), y=y, text=text)
    points = alt.OverlayMarkDef(color=LINE, size=28)
    cumulative = base.mark_line(color=LINE, strokeWidth=2, point=points).encode(x="cumulative:Q", y=y, order="rank:Q")
    rule = alt.Chart(alt.InlineData(values=[{"at": 0.8}]))
    mark = rule.mark_rule(color=LINE, strokeDash=[5, 4]).encode(x="at:Q")
    chart = alt.layer(bars, numbers, mark, cumulative).properties(width=plot_width, height=ROW_HEIGHT * len(rows))
    return svg_of(chart, f"Pareto chart of {len(rows)} contact reasons")


def trend_svg(report: TopReasons, width: int) -> str:
    """Tickets per day of the top five over the window; a mean over each week in long windows."""
    import altair as alt

    reasons = [line.reason for line in report.top_five]
    rows = [row for period in report.trend for row in _points(period)]
    every = -(-len(report.trend) // (14 if width > 500 else 6))
    days = alt.Axis(
        values=[period.start.isoformat() for period in report.trend[::every]],
        labelExpr="utcFormat(datetime(datum.value), '%d %b')",
        labelAngle=0,
        grid=False,
    )
    colour = alt.Color("reason:N", scale=alt.Scale(domain=reasons, range=TREND_COLOURS[: len(reasons)]), legend=None)
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=24))
        .encode(
            x=alt.X("start:O", title=None, axis=days, scale=alt.Scale(type="point", padding=0.3)),
            y=alt.Y("per_day:Q", title="Tickets per day", axis=alt.Axis(tickCount=5, domain=False)),
            color=colour,
        )
        .properties(width=width - 60, height=240)
    )
    return svg_of(chart, "Trend of the top five contact reasons")


def _bar(line: ReasonLine, label_chars: int) -> dict[str, Any]:
    name = textwrap.wrap(line.name, label_chars)
    lines = [*name[:1], " ".join(name[1:])] if len(name) > 1 else name
    return {
        "name": "\n".join(lines),
        "rank": line.rank,
        "share": line.share,
        "cumulative": line.cumulative_share,
        "in_80": line.in_80,
        "numbers": f"{line.share:.1%} ({line.count:,})",
        "percent": f"{line.share:.1%}",
    }


def _points(period: Period) -> list[dict[str, Any]]:
    return [
        {"start": period.start.isoformat(), "reason": reason, "per_day": count / period.days}
        for reason, count in period.counts.items()
    ]


def svg_of(chart: Any, label: str) -> str:
    """SVG that takes its text and grid colours from the page (see the template) and scales down to fit."""
    import vl_convert

    styled = chart.configure(background="transparent", font=FONT).configure_view(stroke=None)
    spec = styled.configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight=400).to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{label}" ', svg, count=1)
