"""Decisions to take, by rules that are data: `decisions.yaml`."""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from classifier.datafile import load_yaml
from training.quarterly.conditions import CONDITIONS
from training.quarterly.contents import Decision, Quarterly

FILE = Path(__file__).parent / "decisions.yaml"

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class DecisionRule(BaseModel):
    """One rule; the head of the file says what the fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    when: str
    limits: dict[str, float] = Field(default_factory=dict)
    most: int = Field(default=1, ge=1)
    owner: Text
    title: Text
    evidence: Text
    action: Text

    @model_validator(mode="after")
    def _known(self) -> DecisionRule:
        if self.when not in CONDITIONS:
            raise ValueError(f"when: unknown condition '{self.when}'; choose one of: {', '.join(CONDITIONS)}")
        for text in (self.title, self.evidence, self.action):
            for _, name, _, _ in string.Formatter().parse(text):
                if name is not None and not name.isidentifier():
                    raise ValueError(f"'{{{name}}}' is no name of something that a condition finds")
        return self


class DecisionRules(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[DecisionRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> DecisionRules:
        ids = [rule.id for rule in self.rules]
        if twice := {one for one in ids if ids.count(one) > 1}:
            raise ValueError(f"rules listed twice: {sorted(twice)}")
        return self


@cache
def starter_rules() -> DecisionRules:
    """The shipped rules. Raises `DataFileError`."""
    return load_yaml(FILE, DecisionRules)


def decide(report: Quarterly, rules: DecisionRules | None = None) -> tuple[Decision, ...]:
    """What ``report`` gives reason to decide, in the order of the rules."""
    found: list[Decision] = []
    for rule in (rules or starter_rules()).rules:
        for number, told in enumerate(CONDITIONS[rule.when](report, rule.limits)):
            if number == rule.most:
                break
            title, evidence, action = (text.format(**told) for text in (rule.title, rule.evidence, rule.action))
            found.append(Decision(rule.id, title, evidence, action, rule.owner))
    return tuple(found)
