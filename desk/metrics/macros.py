"""What happened after a macro was sent, against answered tickets of the same reason without it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from classifier.taxonomy import Taxonomy
from desk.database import Database
from desk.intervals import share_difference, wilson
from desk.metrics.definitions import Metric
from desk.metrics.figures import Estimate, share
from desk.metrics.measures import NEEDS, Measured, measured
from desk.metrics.outcomes import milliseconds, outcomes
from desk.metrics.query import ROWS_AT_A_TIME, group_name
from desk.metrics.scope import Dimension, Scope

AFTER = (Metric.FCR, Metric.REOPEN_RATE, Metric.CSAT)
"""What is looked at after a macro was sent."""

CELLS = 1 + 2 * len(AFTER)  # tickets, then counted and hits of each


@dataclass(frozen=True)
class After:
    """One metric after the macro, and in answered tickets of the same reason without it.

    ``difference`` is with minus without; None where either has no tickets.
    """

    n: int
    rate: Estimate | None
    without_n: int
    without: Estimate | None
    difference: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data: dict[str, Any] = {"n": self.n, "without_n": self.without_n}
        for name in ("rate", "without", "difference"):
            estimate: Estimate | None = getattr(self, name)
            data[name] = estimate.to_json() if estimate else None
        return data


@dataclass(frozen=True)
class MacroLine:
    """One macro in the tickets of one reason (None: undecided), each ticket counted once.

    ``share`` is of the ``answered`` tickets of the reason.
    """

    macro: str
    reason: str | None
    reason_name: str
    used: int
    answered: int
    share: Estimate
    after: dict[Metric, After]


@dataclass(frozen=True)
class MacroReport:
    """Every macro that was sent in the tickets of a scope, the most used first."""

    scope: Scope
    answered: int
    with_macro: int
    lines: tuple[MacroLine, ...]
    notices: tuple[str, ...]


def macro_report(database: Database, taxonomy: Taxonomy, scope: Scope, *, locale: str = "en") -> MacroReport:
    """Compare the tickets of ``scope`` in which each macro was sent with those in which it was not.

    Raises `DatabaseError`.
    """
    with database.session(read_only=True) as session:
        alike, notices = _alike(session, scope)
    answered: dict[str | None, np.ndarray[Any, Any]] = defaultdict(lambda: np.zeros(CELLS, dtype=np.int64))
    sent: dict[tuple[str, str | None], np.ndarray[Any, Any]] = defaultdict(lambda: np.zeros(CELLS, dtype=np.int64))
    with_macro = 0
    for (reason, macros, *cells), tickets in alike.items():
        counts = tickets * np.array([1, *cells], dtype=np.int64)
        answered[reason] += counts
        for macro in macros:
            sent[macro, reason] += counts
        with_macro += tickets if macros else 0
    lines = [
        _line(macro, reason, group_name(Dimension.REASON, reason, taxonomy, locale), counts, answered[reason] - counts)
        for (macro, reason), counts in sent.items()
    ]
    lines.sort(key=lambda line: (-line.used, line.macro, line.reason or ""))
    return MacroReport(scope, sum(int(counts[0]) for counts in answered.values()), with_macro, tuple(lines), notices)


def _alike(session: Session, scope: Scope) -> tuple[Counter[Any], tuple[str, ...]]:
    """How many answered tickets have the same reason, macros and outcome (counted and hit, per metric of AFTER)."""
    told = outcomes(session, scope, {need for metric in AFTER for need in NEEDS.get(metric, ())})
    row, now = told.rows.c, milliseconds(scope.now)
    cells = [cell for metric in AFTER for cell in _cells(measured(metric, told.rows, now))]
    query = sa.select(row.reason, row.macros, *cells).where(row.replies > 0)
    result = session.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME})
    return Counter((reason, frozenset(macros), *rest) for reason, macros, *rest in result), told.notices


def _cells(terms: Measured) -> tuple[Any, Any]:
    return terms.counted, terms.hits


def _line(
    macro: str, reason: str | None, name: str, counts: np.ndarray[Any, Any], without: np.ndarray[Any, Any]
) -> MacroLine:
    used, answered = int(counts[0]), int(counts[0] + without[0])
    after = {}
    for place, metric in enumerate(AFTER):
        n, hits, other_n, other_hits = (int(part[1 + 2 * place + of]) for part in (counts, without) for of in (0, 1))
        difference = None
        if n and other_n:
            difference = Estimate(hits / n - other_hits / other_n, *share_difference(hits, n, other_hits, other_n))
        after[metric] = After(n, share(hits, n), other_n, share(other_hits, other_n), difference)
    return MacroLine(macro, reason, name, used, answered, Estimate(used / answered, *wilson(used, answered)), after)
