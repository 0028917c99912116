"""Policy rules as data: what each forbids, when it applies, and which detectors of `kb.policy.kinds` look for it."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from classifier.datafile import load_yaml
from kb.policy.kinds import Detector, Severity
from kb.policy.lexicon import starter_lexicons

RULE_SETS = Path(__file__).parent
STRICTEST = "amazon"
_NAME_A_LIST = (
    "list", "other", "excused_by", "cue", "ids", "digits", "substance", "decoration", "alone", "small_talk",
)  # fmt: skip


class Applies(StrEnum):
    """Which messages a rule is for."""

    ALL = "all"
    PROACTIVE = "proactive"


class Rule(BaseModel):
    """One rule of a marketplace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^R\d\d$")
    statement: str
    severity: Severity
    applies: Applies
    detectors: tuple[Detector, ...] = Field(min_length=1)
    message: str
    remedy: str
    source: tuple[str, ...]
    """Codes of docs/domain.md, addresses of the marketplace's own policy, or `ours`."""
    note: str | None = None


class RuleSet(BaseModel):
    """The rules of one marketplace at one version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    marketplace: str
    version: int
    as_of: str
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """Marketplace and version, as results name it: `amazon/2`."""
        return f"{self.marketplace}/{self.version}"

    @model_validator(mode="after")
    def _lists_exist(self) -> RuleSet:
        known = {name for lexicon in starter_lexicons() for name in lexicon.lists}
        for rule in self.rules:
            for detector in rule.detectors:
                named = {str(getattr(detector, field)) for field in _NAME_A_LIST if getattr(detector, field, None)}
                named.update(getattr(detector, "unless", ()), *getattr(detector, "all_of", ()))
                if unknown := named - known:
                    raise ValueError(f"rule {rule.id} names unknown lexicon lists {sorted(unknown)}")
        ids = [rule.id for rule in self.rules]
        if twice := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"rules listed twice: {sorted(twice)}")
        return self


def marketplaces() -> tuple[str, ...]:
    """The marketplaces that have rules of their own."""
    return tuple(sorted(file.stem for file in RULE_SETS.glob("*.yaml")))


@cache
def rule_set(marketplace: str) -> RuleSet:
    """The shipped rules of ``marketplace``; Amazon's, the strictest, where it has no rules of its own."""
    return load_yaml(RULE_SETS / f"{marketplace if marketplace in marketplaces() else STRICTEST}.yaml", RuleSet)
