"""The wording of each metric, as data: what is printed beside every number."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from classifier.datafile import load_yaml

DEFINITIONS = Path(__file__).parent / "definitions.yaml"


class Metric(StrEnum):
    """Everything that is measured of tickets."""

    VOLUME = "volume"
    FRT = "frt"
    FIRST_RESOLUTION = "first_resolution"
    TOTAL_RESOLUTION = "total_resolution"
    FCR = "fcr"
    AHT = "aht"
    CSAT = "csat"
    NPS = "nps"
    REOPEN_RATE = "reopen_rate"
    SLA_COMPLIANCE = "sla_compliance"
    MACRO_USE = "macro_use"


class Unit(StrEnum):
    """What a value counts: tickets, seconds, a share in 0..1, or points from -100 to 100."""

    TICKETS = "tickets"
    SECONDS = "seconds"
    SHARE = "share"
    POINTS = "points"


class Direction(StrEnum):
    """Which way is better, where one is."""

    UP = "up"
    DOWN = "down"


class _Worded(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    definition: str


class MetricDefinition(_Worded):
    """One metric in words. ``counted`` are the tickets behind n, ``hits`` those of them in the numerator."""

    id: Metric
    short: str
    unit: Unit
    interval: str
    counted: str
    hits: str | None = None
    direction: Direction | None = None


class PartDefinition(_Worded):
    """One part or share of the chats in words."""

    id: str


class Definitions(BaseModel):
    """The wording of every report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: tuple[MetricDefinition, ...]
    deflection: tuple[PartDefinition, ...]
    deflection_shares: tuple[PartDefinition, ...]
    deflection_note: str
    macros_note: str
    upstream_note: str

    @model_validator(mode="after")
    def _complete(self) -> Definitions:
        if [metric.id for metric in self.metrics] != list(Metric):
            raise ValueError(f"metrics must be these, in this order: {', '.join(Metric)}")
        return self

    def __getitem__(self, metric: Metric) -> MetricDefinition:
        return next(one for one in self.metrics if one.id is metric)


@cache
def definitions() -> Definitions:
    """The shipped wording. Raises `DataFileError`."""
    return load_yaml(DEFINITIONS, Definitions)
