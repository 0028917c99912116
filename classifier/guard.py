"""The rules of the human-only guard; `classifier.danger` is its model half. Without a model they alone decide.

Rules are patterns over folded text (lower case, no accents), in five languages at once: a message is checked
against all of them whatever its language was taken to be. One pass over it finds which rules could match at all
(`classifier.prefilter`), RE2 which of them do; only those are then judged with their exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import re2
from pydantic import BaseModel, ConfigDict

from classifier.datafile import DataFileError, load_yaml
from classifier.folding import FoldedPattern, fold
from classifier.prefilter import Prefilter
from classifier.taxonomy import Autonomy, Taxonomy, starter_taxonomy

MODEL_RULE = "model.human_only"
"""Id reported when the model, not a rule, raised the guard."""
UNAVAILABLE_RULE = "guard.unavailable"
"""Id reported when nothing could be judged: no guard, no answer."""

_READ_CHARACTERS = 200_000
_LOOK_AROUND = re.compile(r"(?<!\\)\(\?<?[=!]")
_FOREIGN_LETTER = re.compile(r"[^\W\x00-\x7f]")
"""To RE2 only ASCII letters and digits are such: 'Paweł' would end before its last letter. No rule has others."""
_LITERAL = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.S)
"""An escaped character or a character class: parentheses in it group nothing."""


class GuardRule(BaseModel):
    """Patterns that mean one human-only reason; ``unless`` are look-alikes removed from the text first.

    A ``mention`` names something dangerous without saying what happened; only such a rule can be overruled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    reason: str
    languages: tuple[str, ...]
    any: tuple[FoldedPattern, ...]
    unless: tuple[FoldedPattern, ...] = ()
    mention: bool = False


class LookAlikes(BaseModel):
    """What only sounds like one of ``reasons``: removed from the text, in any language, before their rules judge it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    reasons: tuple[str, ...]
    any: tuple[FoldedPattern, ...]


class GuardRules(BaseModel):
    """The data file ``guard.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    look_alikes: tuple[LookAlikes, ...] = ()
    rules: tuple[GuardRule, ...]


@dataclass(frozen=True)
class GuardHit:
    """A rule that matched, the reason it stands for, the words that raised it (folded), and its ``mention``."""

    rule: str
    reason: str
    words: str
    mention: bool = False


class RuleGuard:
    """The rules half of the guard."""

    def __init__(self, rules: GuardRules, taxonomy: Taxonomy) -> None:
        """Raises `DataFileError` when a rule names a reason that is not human-only."""
        human_only = taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)
        named = {rule.reason for rule in rules.rules} | {
            reason for like in rules.look_alikes for reason in like.reasons
        }
        if wrong := sorted(named - human_only):
            raise DataFileError(f"guard rules name reasons that are not human_only: {', '.join(wrong)}")
        self.version = rules.version
        self._rules = rules.rules
        self._look_alikes = {
            reason: tuple(pattern for like in rules.look_alikes if reason in like.reasons for pattern in like.any)
            for reason in human_only
        }
        self._candidates = _Candidates([rule.any for rule in rules.rules])

    def hits(self, text: str) -> list[GuardHit]:
        """Every rule that matches, in file order; an empty list means that the rules are silent."""
        folded = fold(text[:_READ_CHARACTERS])
        found = []
        judged_for: dict[str, str] = {}
        for index in self._candidates.of(folded):
            rule = self._rules[index]
            if rule.reason not in judged_for:
                judged_for[rule.reason] = _blotted(self._look_alikes[rule.reason], folded)
            judged = _blotted(rule.unless, judged_for[rule.reason])
            if match := _any_of(rule.any).search(judged):
                found.append(GuardHit(rule.id, rule.reason, match[0], rule.mention))
        return found


class _Candidates:
    """Which rules can match a text: a superset, since RE2 knows no look-around and searches without it.

    RE2 is asked only about patterns one of whose atoms the text has, and takes linear time whatever the text.
    """

    def __init__(self, patterns_by_rule: Sequence[Sequence[str]]) -> None:
        self._patterns = [pattern for patterns in patterns_by_rule for pattern in patterns]
        self._owner = [index for index, patterns in enumerate(patterns_by_rule) for _ in patterns]
        self._prefilter = Prefilter(self._patterns)
        options = re2.Options()
        options.log_errors = False
        self._linear = [re2.compile(_without_look_around(pattern), options) for pattern in self._patterns]

    def of(self, folded: str) -> list[int]:
        """Rule numbers, ascending."""
        found: set[int] = set()
        plain = _FOREIGN_LETTER.sub(lambda letter: "0" if letter[0].isdecimal() else "_", folded)
        for number in sorted(self._prefilter.of(folded)):
            owner = self._owner[number]
            if owner not in found and self._linear[number].search(plain):
                found.add(owner)
        return sorted(found)


def _without_look_around(pattern: str) -> str:
    """``pattern`` without its ``(?=``, ``(?!``, ``(?<=`` and ``(?<!`` groups: it matches at least what it did."""
    while start := _LOOK_AROUND.search(pattern):
        depth, end = 1, start.end()
        while depth:
            if piece := _LITERAL.match(pattern, end):
                end = piece.end()
                continue
            depth += {"(": 1, ")": -1}.get(pattern[end], 0)
            end += 1
        pattern = pattern[: start.start()] + pattern[end:]
    return pattern


def _blotted(patterns: tuple[str, ...], text: str) -> str:
    # At its own length, so that nothing beside a look-alike moves closer together.
    return _any_of(patterns).sub(lambda match: "." * len(match[0]), text) if patterns else text


@lru_cache(maxsize=1_024)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    # Joined when first needed: a start pays for none of them, and most messages touch only a few rules.
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


@cache
def starter_guard() -> RuleGuard:
    """The shipped rules."""
    rules = load_yaml(Path(__file__).parent / "data" / "guard.yaml", GuardRules)
    return RuleGuard(rules, starter_taxonomy())
