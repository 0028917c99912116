"""Which contact reasons shift between two periods: counted, corrected for the model's errors, and why."""

from training.shift.counted import FALSE_DISCOVERY, ReasonShift, Shift, compare_periods, newcombe
from training.shift.periods import PeriodOfTime, ShiftError, parse_period

__all__ = [
    "FALSE_DISCOVERY",
    "PeriodOfTime",
    "ReasonShift",
    "Shift",
    "ShiftError",
    "compare_periods",
    "newcombe",
    "parse_period",
]
