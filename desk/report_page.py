"""The top-reasons report as one HTML page that needs nothing else.

No script, no request, prints as it looks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from desk.charts import TREND_COLOURS, pareto_svg, trend_svg
from desk.top_reasons import Measure, TopReasons

TEMPLATES = Path(__file__).parent / "templates"
WIDE, NARROW = 960, 350  # CSS pixels; the page shows the one that fits


def render_top_reasons(report: TopReasons, made_at: datetime | None = None) -> str:
    """The page as HTML text. ``made_at`` defaults to now and is printed in UTC."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"percent": percent, "points": points, "duration": duration, "grouped": grouped}
    charts = {}
    if report.with_reason:
        for size, width in (("wide", WIDE), ("narrow", NARROW)):
            charts[f"pareto_{size}"] = Markup(pareto_svg(report, width))  # noqa: S704  # drawn here, names escaped
            charts[f"trend_{size}"] = Markup(trend_svg(report, width))  # noqa: S704
    return environment.get_template("top_reasons.html").render(
        report=report,
        charts=charts,
        colours=TREND_COLOURS,
        made_at=(made_at or datetime.now(UTC)).astimezone(UTC),
        days=(report.end - report.start).days,
        measures=any(line.aht_seconds or line.macro_use or line.csat for line in report.reasons),
    )


def percent(share: float | None) -> str:
    """``0.1234`` -> ``12.3%``; a dash for None."""
    return "\u2013" if share is None else f"{share:.1%}"


def points(change: float | None) -> str:
    """A difference of shares in percentage points with its sign; a dash for None."""
    if change is None:
        return "\u2013"
    return f"{change * 100:+.1f}".replace("-", "\u2212") if abs(change) >= 0.0005 else "0.0"


def duration(measure: Measure | None) -> str:
    """Seconds as ``4:05`` minutes; a dash for None."""
    if measure is None:
        return "\u2013"
    minutes, seconds = divmod(round(measure.value), 60)
    return f"{minutes}:{seconds:02d}"


def grouped(number: int) -> str:
    """``12345`` -> ``12,345``."""
    return f"{number:,}"
