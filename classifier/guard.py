"""The human-only guard: rules OR a recall-tuned model, failing closed.

Rules are patterns over folded text (lower case, no accents), in five languages at once: a message is checked
against all of them whatever its language was taken to be. RE2 finds in one pass which rules can match at all;
only those are then judged with their exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import re2
from pydantic import BaseModel, ConfigDict

from classifier.datafile import DataFileError, load_yaml
from classifier.folding import FoldedPattern, fold
from classifier.taxonomy import Autonomy, Taxonomy, starter_taxonomy

MODEL_RULE = "model.human_only"
"""Id reported when the model, not a rule, raised the guard."""
UNAVAILABLE_RULE = "guard.unavailable"
"""Id reported when nothing could be judged: no guard, no answer."""

_READ_CHARACTERS = 200_000
_LOOK_AROUND = re.compile(r"(?<!\\)\(\?<?[=!]")
_AUTOMATON_BYTES = 256 * 1024 * 1024
"""Upper bound of RE2's automaton; the shipped rules need about 20 MB."""
_PIECE, _OVERLAP = 8_000, 500
"""RE2 reads a text in such pieces, so that no input can grow the automaton to its bound, where it would see nothing.
The overlap is longer than any shipped pattern reaches."""


class GuardRule(BaseModel):
    """Patterns that mean one human-only reason; ``unless`` are look-alikes removed from the text first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    reason: str
    languages: tuple[str, ...]
    any: tuple[FoldedPattern, ...]
    unless: tuple[FoldedPattern, ...] = ()


class GuardRules(BaseModel):
    """The data file ``guard.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    rules: tuple[GuardRule, ...]


@dataclass(frozen=True)
class _CompiledRule:
    id: str
    reason: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None


@dataclass(frozen=True)
class GuardHit:
    """A rule that matched, the reason it stands for, and the words that raised it (folded)."""

    rule: str
    reason: str
    words: str


class RuleGuard:
    """The rules half of the guard."""

    def __init__(self, rules: GuardRules, taxonomy: Taxonomy) -> None:
        """Raises `DataFileError` when a rule names a reason that is not human-only."""
        human_only = taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)
        if wrong := sorted({rule.reason for rule in rules.rules} - human_only):
            raise DataFileError(f"guard rules name reasons that are not human_only: {', '.join(wrong)}")
        self.version = rules.version
        self._rules = tuple(
            _CompiledRule(rule.id, rule.reason, _any_of(rule.any), _any_of(rule.unless) if rule.unless else None)
            for rule in rules.rules
        )

        self._candidates = _Candidates([rule.any for rule in rules.rules])

    def hits(self, text: str) -> list[GuardHit]:
        """Every rule that matches, in file order; an empty list means that the rules are silent."""
        folded = fold(text[:_READ_CHARACTERS])
        found = []
        for index in self._candidates.of(folded):
            rule = self._rules[index]
            # An exception is blotted out at its own length, so that nothing beside it moves closer together.
            judged = rule.unless.sub(lambda match: "." * len(match[0]), folded) if rule.unless else folded
            if match := rule.pattern.search(judged):
                found.append(GuardHit(rule.id, rule.reason, match[0]))
        return found


class _Candidates:
    """Which rules can match a text: a superset, since RE2 knows no look-around and searches without it."""

    def __init__(self, patterns_by_rule: Sequence[Sequence[str]]) -> None:
        options = re2.Options()
        options.max_mem, options.log_errors = _AUTOMATON_BYTES, False
        self._set = re2.Set.SearchSet(options)
        self._owner: list[int] = []
        for index, patterns in enumerate(patterns_by_rule):
            for pattern in patterns:
                self._set.Add(_without_look_around(pattern))
                self._owner.append(index)
        if self._owner:
            self._set.Compile()

    def of(self, folded: str) -> list[int]:
        """Rule numbers, ascending."""
        found: set[int] = set()
        for start in range(0, len(folded) if self._owner else 0, _PIECE):
            matched = self._set.Match(folded[start : start + _PIECE + _OVERLAP]) or ()
            found.update(self._owner[number] for number in matched)
        return sorted(found)


def _without_look_around(pattern: str) -> str:
    """``pattern`` without its ``(?=``, ``(?!``, ``(?<=`` and ``(?<!`` groups: it matches at least what it did."""
    while start := _LOOK_AROUND.search(pattern):
        depth, end = 1, start.end()
        while depth:
            if pattern[end] == "\\":
                end += 1
            depth += {"(": 1, ")": -1}.get(pattern[end], 0)
            end += 1
        pattern = pattern[: start.start()] + pattern[end:]
    return pattern


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


@cache
def starter_guard() -> RuleGuard:
    """The shipped rules."""
    rules = load_yaml(Path(__file__).parent / "data" / "guard.yaml", GuardRules)
    return RuleGuard(rules, starter_taxonomy())
