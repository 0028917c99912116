"""What a quarterly report says, section by section. A section that is None was not measured; the page says how to.

QuarterlyError
    └── the period is no quarter, or a file that was given does not fit the report
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from desk.metrics.definitions import Metric
from desk.metrics.deflection import DeflectionReport
from desk.metrics.documents import deflection_document, macros_document
from desk.metrics.figures import Estimate, Figure
from desk.metrics.macros import MacroReport
from desk.top_reasons import TopReasons


class QuarterlyError(ValueError):
    """The report cannot be made; the message says why and what to do."""


class Section(StrEnum):
    """The parts of the report, in the order in which they are read."""

    DECISIONS = "decisions"
    TOP_FIVE = "top_five"
    MOVEMENT = "movement"
    CAUSES = "causes"
    HANDLE_TIME = "handle_time"
    MACROS = "macros"
    DEFLECTION = "deflection"
    SERVICE = "service"
    MODEL = "model"
    EMERGING = "emerging"
    LABELS = "labels"


@dataclass(frozen=True)
class Quarter:
    """The days of the report and of the quarter before it, UTC, ends exclusive.

    ``running``: the quarter is not over, so its figures may still change. ``days`` and ``days_before`` are the days
    of both that are over or hold tickets.
    """

    label: str
    start: date
    end: date
    label_before: str
    start_before: date
    running: bool
    days: int
    days_before: int


@dataclass(frozen=True)
class Moved:
    """One reason in both quarters, in shares of the tickets with a reason; ``real``: beyond chance for all at once."""

    reason: str
    name: str
    then: float
    now: float
    change: float
    low: float
    high: float
    real: bool
    tickets: int | None = None


@dataclass(frozen=True)
class Movement:
    """The changes, the largest first. ``corrected`` for the model's errors, else counted; ``alarms`` in sentences."""

    lines: tuple[Moved, ...]
    corrected: bool
    alarms: tuple[str, ...] = ()

    @property
    def real(self) -> tuple[Moved, ...]:
        """The changes that are more than chance."""
        return tuple(line for line in self.lines if line.real)


@dataclass(frozen=True)
class Cause:
    """One of the top five: what it costs in a quarter, what usually causes it, what to fix at the source.

    ``hours`` of handle time, estimated as tickets x mean; None where no time was recorded. ``weekly`` are tickets per
    week, ``macros`` how many locked macros there are.
    """

    reason: str
    name: str
    tickets: int
    hours: float | None
    cause: str | None
    fix: str | None
    metrics_at_risk: tuple[str, ...]
    weekly: tuple[int, ...]
    macros: int


@dataclass(frozen=True)
class HandleTime:
    """Handle time of one reason: mean with interval now, mean before, and the hours that it took."""

    reason: str
    name: str
    figure: Figure
    before: Figure | None
    tickets: int
    hours: float


@dataclass(frozen=True)
class Kept:
    """One metric of the whole desk in both quarters."""

    metric: Metric
    now: Figure
    before: Figure


@dataclass(frozen=True)
class Weak:
    """A reason that the model finds badly: F1 on tickets that it never learned from."""

    reason: str
    name: str
    f1: float
    n: int


@dataclass(frozen=True)
class ModelQuality:
    """The champion's card in figures, all measured on tickets that it never learned from, and the last retraining.

    ``guard`` is the recall of human-only reasons with its interval. ``last_*`` are of the newest version.
    """

    version: str
    created_at: str
    n: int
    accuracy: Estimate
    macro_f1: float
    calibration_error: float
    tagged: float
    wrong_when_tagged: float | None
    guard: Estimate | None
    guard_n: int
    weakest: tuple[Weak, ...]
    last_version: str
    last_promoted: bool | None
    last_because: tuple[str, ...]


@dataclass(frozen=True)
class Emerging:
    """Tickets that belong together beyond what earlier ones let expect, named by their words.

    ``evident``: hardly by chance. ``nearest`` is the reason that the model gave most of them, in words with its share;
    None where that is not known. ``growth`` is as `paretodesk reasons emerging` gives it, None without an earlier
    period. ``examples`` are redacted.
    """

    id: str
    name: str
    tickets: int
    evident: bool
    nearest: str | None
    growth: float | None
    examples: tuple[str, ...]


@dataclass(frozen=True)
class LabelHealth:
    """How far the tags can be trusted: what people corrected, and what an audit found where there was one.

    ``corrected`` is the share of model tags that people who looked changed; they look at doubtful tickets more often.
    """

    looked_at: int
    corrected: Estimate | None
    audited: int | None = None
    suspicious: int | None = None
    contradictions: int | None = None


@dataclass(frozen=True)
class Decision:
    """Something to decide, with the evidence and whoever decides; ``rule`` is the rule of decisions.yaml."""

    rule: str
    title: str
    evidence: str
    action: str
    owner: str


@dataclass(frozen=True)
class Trust:
    """A contact reason whose autonomy could rise (``may_rise``) or that measurements speak ``against``."""

    reason: str
    name: str
    level: str
    may_rise: bool
    n: int
    against: tuple[str, ...]


@dataclass(frozen=True)
class Quarterly:
    """The report. ``top`` always exists; what else is None was not measured.

    ``tickets_before`` are those of the quarter before.
    """

    quarter: Quarter
    top: TopReasons
    tickets_before: int
    movement: Movement | None
    causes: tuple[Cause, ...]
    handle_times: tuple[HandleTime, ...]
    macros: MacroReport | None
    deflection: DeflectionReport | None
    kept: tuple[Kept, ...]
    model: ModelQuality | None
    emerging: tuple[Emerging, ...] | None
    labels: LabelHealth | None
    trust: tuple[Trust, ...] = ()
    decisions: tuple[Decision, ...] = ()
    sentences: tuple[str, ...] = ()

    def metric(self, metric: Metric) -> Kept | None:
        """One metric of the whole desk."""
        return next((one for one in self.kept if one.metric is metric), None)

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; shares in 0..1, dates in ISO 8601."""
        days = ("start", "end", "start_before")
        return {
            "quarter": asdict(self.quarter) | {name: getattr(self.quarter, name).isoformat() for name in days},
            "sentences": list(self.sentences),
            "decisions": [asdict(one) for one in self.decisions],
            "tickets_before": self.tickets_before,
            "top_reasons": self.top.to_json(),
            "movement": asdict(self.movement) if self.movement else None,
            "causes": [asdict(one) for one in self.causes],
            "handle_times": [
                {
                    "reason": one.reason,
                    "tickets": one.tickets,
                    "hours": one.hours,
                    "now": one.figure.to_json(),
                    "before": one.before.to_json() if one.before else None,
                }
                for one in self.handle_times
            ],
            "macros": macros_document(self.macros) if self.macros else None,
            "deflection": deflection_document(self.deflection) if self.deflection else None,
            "metrics": {
                str(one.metric): {"now": one.now.to_json(), "before": one.before.to_json()} for one in self.kept
            },
            "model": asdict(self.model) if self.model else None,
            "emerging": [asdict(one) for one in self.emerging] if self.emerging is not None else None,
            "labels": asdict(self.labels) if self.labels else None,
            "trust": [asdict(one) for one in self.trust],
        }
