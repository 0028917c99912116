"""The policy check of a macro's own words, by the rules of every marketplace that it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kb.content import ANY_MARKETPLACE, known_marketplaces
from kb.macros import Macro
from kb.policy import FoundBy, PolicyContext, SentenceJudge, check_rendered, rule_set
from kb.rendering import render_examples


@dataclass(frozen=True, order=True)
class RulesVersion:
    """Which rules judged: a marketplace's rule set and its version."""

    rules: str
    version: int

    def __str__(self) -> str:
        return f"{self.rules} rules version {self.version}"


@dataclass(frozen=True)
class BrokenRule:
    """A rule that a macro's words break. ``text`` is the place, as it reads with example facts."""

    rules: str
    rule: str
    blocks: bool
    text: str
    message: str
    remedy: str
    found_by: str = FoundBy.RULE.value
    """`rule` or `model`: a verdict of before there was a model has only the first."""
    probability: float | None = None
    """How likely the model holds it, rounded; None where a rule found it."""


@dataclass(frozen=True)
class Verdict:
    """What the rules said about a macro's words."""

    rules: tuple[RulesVersion, ...]
    broken: tuple[BrokenRule, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no blocking rule is broken."""
        return not any(found.blocks for found in self.broken)

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "passed": self.passed,
            "rules": [{"rules": found.rules, "version": found.version} for found in self.rules],
            "broken": [dict(found.__dict__) for found in self.broken],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        """What `to_json` gave."""
        return cls(
            tuple(RulesVersion(found["rules"], found["version"]) for found in data["rules"]),
            tuple(BrokenRule(**found) for found in data["broken"]),
        )


def rules_for(macro: Macro) -> tuple[RulesVersion, ...]:
    """The rule sets in force for the macro's marketplaces; for `any`, those of all marketplaces."""
    listed = macro.fields.marketplace
    names = known_marketplaces() - {ANY_MARKETPLACE} if ANY_MARKETPLACE in listed else listed
    return tuple(sorted({RulesVersion(found.marketplace, found.version) for found in map(rule_set, names)}))


def judge(macro: Macro, sentences: SentenceJudge | None = None) -> Verdict:
    """Check the macro with example facts, in every plural form, by each rule set of `rules_for`.

    With ``sentences`` the sentence model reads it as well; raises `SentenceModelError` where it cannot.
    """
    rules = rules_for(macro)
    fulfilment = macro.fields.when.get("order.fulfilment", ())
    context = PolicyContext(fulfilment=fulfilment[0] if len(fulfilment) == 1 else None)
    broken: dict[BrokenRule, None] = {}
    for rendered in render_examples(macro):
        for judging in rules:
            for found in check_rendered(
                macro, rendered, marketplace=judging.rules, context=context, sentences=sentences
            ):
                said = rendered.text[slice(*found.span)]
                sure = None if found.probability is None else round(found.probability, 3)
                broken[
                    BrokenRule(
                        judging.rules,
                        found.rule,
                        found.blocks,
                        said,
                        found.message,
                        found.remedy,
                        found.found_by.value,
                        sure,
                    )
                ] = None
    return Verdict(rules, tuple(broken))
