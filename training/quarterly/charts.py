"""Charts of the quarterly report as inline SVG."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from desk.charts import BAR, REST, svg_of
from training.quarterly.contents import Moved

SHOWN = 12
"""Changes in the chart, the largest; the table has all of them."""
FALL: Final = "#b0450c"
ROW = 30


def movement_svg(lines: Sequence[Moved], width: int) -> str | None:
    """Each change in points with its interval; grey where chance explains it. None without changes."""
    import altair as alt  # takes a second, and most commands draw nothing

    shown = lines[:SHOWN]
    if not shown:
        return None
    wide = width > 500
    names_width = 235 if wide else 128
    rows = [
        {
            "name": _wrapped(line.name, 34 if wide else 17),
            "change": 100 * line.change,
            "low": 100 * line.low,
            "high": 100 * line.high,
            "kind": "chance" if not line.real else "up" if line.change > 0 else "down",
        }
        for line in sorted(shown, key=lambda line: -line.change)
    ]
    names = alt.Axis(
        labelExpr="split(datum.label, '\\n')", labelLimit=0, minExtent=names_width, maxExtent=names_width,
        ticks=False, domain=False,
    )  # fmt: skip
    y = alt.Y("name:N", sort=[str(row["name"]) for row in rows], title=None, axis=names)
    axis = alt.Axis(orient="top", domain=False, ticks=False, tickCount=7 if wide else 4, titleFontWeight=400)
    title = "Change of the share, percentage points, with 95% interval" if wide else "Change, points"
    colours = alt.Scale(domain=["up", "down", "chance"], range=[BAR, FALL, REST])
    colour = alt.Color("kind:N", scale=colours, legend=None)
    base = alt.Chart(alt.InlineData(values=rows))
    span = base.mark_rule(strokeWidth=3).encode(
        x=alt.X("low:Q", axis=axis, title=title), x2="high:Q", y=y, color=colour
    )
    dot = base.mark_point(filled=True, size=80, opacity=1).encode(x="change:Q", y=y, color=colour)
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(color=REST, strokeDash=[4, 4]).encode(x="at:Q")
    chart = alt.layer(zero, span, dot).properties(width=width - names_width - 24, height=ROW * len(rows))
    return svg_of(chart, f"Change of the share of {len(rows)} contact reasons")


def _wrapped(name: str, characters: int) -> str:
    lines = textwrap.wrap(name, characters)
    return "\n".join([*lines[:1], " ".join(lines[1:])] if len(lines) > 1 else lines)
