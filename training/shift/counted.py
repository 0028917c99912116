"""Which contact reasons became more or less frequent, counted by the tags that the desk holds.

Counting takes every tag for right; `training.shift.estimate` corrects for the model's errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from scipy.stats import false_discovery_control, fisher_exact

from desk.inbox import Desk
from desk.intervals import wilson
from desk.reason_counts import ReasonCounts, TicketFilter, count_by_reason
from desk.top_reasons import TOP
from training.shift.periods import PeriodOfTime, ShiftError

FALSE_DISCOVERY = 0.05
"""Expected share of chance findings among the changes called real (Benjamini & Hochberg 1995)."""


@dataclass(frozen=True)
class ReasonShift:
    """One reason in both periods: counts, shares of tickets with a reason, ranks, and the change of the share.

    ``low`` and ``high`` bound the change with 95% confidence (Newcombe 1998, method 10); ``p`` is Fisher's exact
    two-sided test; ``significant`` after controlling false discoveries over all reasons.
    """

    reason: str
    baseline_count: int
    current_count: int
    baseline_share: float
    current_share: float
    baseline_rank: int | None
    current_rank: int | None
    change: float
    low: float
    high: float
    p: float
    significant: bool


@dataclass(frozen=True)
class Shift:
    """The comparison, the largest change first; undecided tickets are counted apart and change no share."""

    baseline: PeriodOfTime
    current: PeriodOfTime
    baseline_total: int
    current_total: int
    baseline_undecided: int
    current_undecided: int
    reasons: tuple[ReasonShift, ...]
    top_five_kept: int

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        real = [line for line in self.reasons if line.significant]
        kept = f"{self.top_five_kept} of the top five stayed in the top five"
        if not real:
            return f"No change is larger than chance; {kept}."
        parts = [f"{line.reason} {100 * line.change:+.1f} points" for line in real]
        return f"Larger than chance: {', '.join(parts)}; {kept}."

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; dates in ISO 8601."""
        data = asdict(self)
        for name in ("baseline", "current"):
            data[name] |= {"start": data[name]["start"].isoformat(), "end": data[name]["end"].isoformat()}
        return data | {"sentence": self.sentence}


def compare_periods(desk: Desk, baseline: PeriodOfTime, current: PeriodOfTime, channel: str | None = None) -> Shift:
    """Compare the shares of reasons. Raises `ShiftError` when a period has no ticket with a reason."""
    filters = TicketFilter(channel=channel)
    with desk.database.session(read_only=True) as session:
        before, after = (count_by_reason(session, period.start, period.end, filters) for period in (baseline, current))
    for period, counts in ((baseline, before), (current, after)):
        if counts.total == counts.undecided:
            raise ShiftError(f"no ticket of {period.label} has a reason; import or tag tickets of that period first")
    return _compare(baseline, current, before, after)


def _compare(baseline: PeriodOfTime, current: PeriodOfTime, before: ReasonCounts, after: ReasonCounts) -> Shift:
    reasons = sorted(before.reasons | after.reasons)
    n, m = before.total - before.undecided, after.total - after.undecided
    counts = [(before.of(reason).tickets, after.of(reason).tickets) for reason in reasons]
    p_values = [float(fisher_exact([[a, n - a], [b, m - b]]).pvalue) for a, b in counts]
    adjusted = false_discovery_control(p_values)
    old_ranks, new_ranks = _ranks([a for a, _ in counts]), _ranks([b for _, b in counts])
    lines = []
    for i, (reason, (a, b)) in enumerate(zip(reasons, counts, strict=True)):
        low, high = newcombe(a, n, b, m)
        lines.append(
            ReasonShift(
                reason, a, b, a / n, b / m, old_ranks[i], new_ranks[i],
                b / m - a / n, low, high, p_values[i], bool(adjusted[i] <= FALSE_DISCOVERY),
            )
        )  # fmt: skip
    kept = sum(all(rank and rank <= TOP for rank in (line.baseline_rank, line.current_rank)) for line in lines)
    lines.sort(key=lambda line: -abs(line.change))
    return Shift(baseline, current, before.total, after.total, before.undecided, after.undecided, tuple(lines), kept)


def _ranks(counts: Sequence[int]) -> list[int | None]:
    order = sorted(range(len(counts)), key=lambda i: -counts[i])
    ranks: list[int | None] = [None] * len(counts)
    for rank, i in enumerate(order, start=1):
        if counts[i]:
            ranks[i] = rank
    return ranks


def newcombe(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    """95% interval of ``b/m - a/n``, from the Wilson intervals of both shares (Newcombe 1998, method 10)."""
    p, q = a / n, b / m
    p_low, p_high = wilson(a, n)
    q_low, q_high = wilson(b, m)
    change = q - p
    return change - sqrt((q - q_low) ** 2 + (p_high - p) ** 2), change + sqrt((q_high - q) ** 2 + (p - p_low) ** 2)
