"""The contact reasons as data: names in five languages, autonomy, metrics at risk, causes and fixes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from classifier.datafile import load_yaml

STARTER_TAXONOMY = Path(__file__).parent / "data" / "taxonomy.yaml"
OTHER = "other"


class Autonomy(StrEnum):
    """Who may act on a reason: the bot, an agent with help, only a person, or nobody needs to."""

    SELF_SERVICE = "self_service"
    ASSISTED = "assisted"
    HUMAN_ONLY = "human_only"
    AUTO_CLOSE = "auto_close"


class Reason(BaseModel):
    """One contact reason. ``precedence`` breaks ties between several reasons of one ticket, higher first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    names: dict[str, str]
    meaning: str
    autonomy: Autonomy
    assisted_when: str | None = None
    metrics_at_risk: tuple[str, ...]
    cause: str
    upstream_fix: str
    order_facts: tuple[str, ...]
    precedence: int = 1

    def name(self, locale: str) -> str:
        """The reader's name of the reason; English where ``locale`` has none."""
        return self.names.get(locale, self.names["en"])


class Taxonomy(BaseModel):
    """All contact reasons of a desk, by id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    locales: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Taxonomy:
        ids = [reason.id for reason in self.reasons]
        if twice := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"reasons listed twice: {sorted(twice)}")
        if OTHER not in ids:
            raise ValueError(f"the reason '{OTHER}' is missing")
        for reason in self.reasons:
            if missing := set(self.locales) - set(reason.names):
                raise ValueError(f"reason {reason.id} has no name in {sorted(missing)}")
        return self

    def __getitem__(self, reason_id: str) -> Reason:
        for reason in self.reasons:
            if reason.id == reason_id:
                return reason
        raise KeyError(reason_id)

    def __contains__(self, reason_id: object) -> bool:
        return any(reason.id == reason_id for reason in self.reasons)

    def __iter__(self) -> Iterator[Reason]:  # type: ignore[override]  # a taxonomy is a collection of reasons
        return iter(self.reasons)

    @property
    def ids(self) -> tuple[str, ...]:
        """Reason ids in file order."""
        return tuple(reason.id for reason in self.reasons)

    def with_autonomy(self, *autonomies: Autonomy) -> frozenset[str]:
        """Ids of the reasons whose autonomy is one of ``autonomies``."""
        return frozenset(reason.id for reason in self.reasons if reason.autonomy in autonomies)

    def primary(self, reason_ids: Iterable[str]) -> str:
        """Of several reasons, the one to act on first (safety > legal > claim > rest); the first wins ties."""
        return max(reason_ids, key=lambda reason_id: self[reason_id].precedence)


@cache
def starter_taxonomy() -> Taxonomy:
    """The shipped taxonomy: 28 reasons and `other`."""
    return load_yaml(STARTER_TAXONOMY, Taxonomy)
