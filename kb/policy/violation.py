"""One place where a message breaks a rule, and who found it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from kb.policy.kinds import Severity


class FoundBy(StrEnum):
    """What found a violation: a rule, by its word lists and patterns, or the sentence model, by likeness."""

    RULE = "rule"
    MODEL = "model"


@dataclass(frozen=True)
class Violation:
    """One place where a message breaks a rule. ``span`` is ``(start, end)`` in characters of the checked text."""

    rule: str
    severity: Severity
    span: tuple[int, int]
    message: str
    remedy: str
    judged_by: str
    """Marketplace and version of the rule set: `amazon/2`."""
    found_by: FoundBy = FoundBy.RULE
    probability: float | None = None
    """How likely the sentence model holds it; None where a rule found it."""

    @property
    def blocks(self) -> bool:
        """Whether the message must not be sent."""
        return self.severity is Severity.BLOCK

    def to_json(self, file: str | Path) -> dict[str, Any]:
        """The public form: file, rule, severity, span, message, remedy, rule set, who found it and how sure."""
        return {
            "file": str(file),
            "rule": self.rule,
            "severity": self.severity.value,
            "span": list(self.span),
            "message": self.message,
            "remedy": self.remedy,
            "rule_set": self.judged_by,
            "found_by": self.found_by.value,
            "probability": None if self.probability is None else round(self.probability, 3),
        }
