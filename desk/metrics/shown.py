"""Figures as people read them."""

from __future__ import annotations

from desk.metrics.definitions import Metric, Unit, definitions
from desk.metrics.figures import Estimate, Figure

DASH = "\u2013"
MINUS = "\u2212"
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def value_text(value: float | None, unit: Unit) -> str:
    """``0.1234`` -> ``12.3%``, ``5400`` -> ``1.5 h``, ``-12.3`` -> ``−12.3``; a dash for None."""
    if value is None:
        return DASH
    match unit:
        case Unit.SECONDS:
            return seconds_text(value)
        case Unit.SHARE:
            return f"{value:.1%}".replace("-", MINUS)
        case Unit.POINTS:
            return f"{value:+.1f}".replace("-", MINUS)
        case Unit.TICKETS:
            return f"{round(value):,}"


def seconds_text(seconds: float) -> str:
    """``42 s``, ``4.1 min``, ``3.5 h``, ``2.4 d``."""
    for size, name in _STEPS:
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def interval_text(estimate: Estimate | None, unit: Unit) -> str:
    """``12.0% to 14.5%``; a dash where n is too small for an interval."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return DASH
    return f"{value_text(estimate.low, unit)} to {value_text(estimate.high, unit)}"


def difference_text(estimate: Estimate | None) -> str:
    """A difference of shares in percentage points with its interval: ``+3.1 (−0.4 to +6.5)``."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return DASH
    shown = [value_text(100 * share, Unit.POINTS) for share in (estimate.value, estimate.low, estimate.high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def ratio_text(estimate: Estimate | None) -> str:
    """A ratio of rates with its interval: ``×1.8 (1.4 to 2.3)``."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return DASH
    high = f"{estimate.high:.2f}" if estimate.high < 100 else "100 or more"
    return f"\u00d7{estimate.value:.2f} ({estimate.low:.2f} to {high})"


def unit_of(metric: Metric) -> Unit:
    """The unit of a metric."""
    return definitions()[metric].unit


def figure_text(figure: Figure) -> str:
    """The headline of a figure."""
    return value_text(figure.value, unit_of(figure.metric))


def figure_interval(figure: Figure) -> str:
    """The interval of the headline."""
    return interval_text(figure.estimate, unit_of(figure.metric))
