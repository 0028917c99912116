"""How well the rules hear what a seller words to slip by; `-s` prints the tables.

1,920 short texts by native writers who saw no pattern: per language and rule 16 that break it and 16 look-alikes that
do not. Lines whose part is `development` were read while the rules were written, those of `test` were not; `test` was
counted three times on the way, and three times while the sentence model was made. The distance between the two says how
far lists of phrases and the model carry. A text is labelled with one rule and may break another one as well; the order
id that a proactive message needs (R12) is left out of all.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from kb.policy import SentenceJudge, check

FOLDER = Path(__file__).parent / "policy_set_indirect"
LOCALES = ("en", "fr", "de", "es", "it")
PARTS = ("development", "test")
RULES = ("R01", "R02", "R05", "R06", "R07", "R14", "R15", "R16", "R22", "R23", "R26", "R27")
NOT_COUNTED = {"R12"}


@dataclass
class Counts:
    lines: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)
    innocent: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    blocks: Counter[str] = field(default_factory=Counter)
    any_alarm: int = 0
    any_block: int = 0

    @property
    def recall(self) -> float:
        return self.found.total() / self.lines.total()

    @property
    def block_recall(self) -> float:
        return self.blocked.total() / self.lines.total()

    @property
    def precision(self) -> float:
        return self.found.total() / max(1, self.found.total() + self.alarms.total())

    @property
    def flagged(self) -> float:
        return self.any_alarm / self.innocent.total()

    @property
    def wrongly_blocked(self) -> float:
        return self.any_block / self.innocent.total()


@cache
def rows(locale: str) -> tuple[dict, ...]:
    return tuple(json.loads(line) for line in (FOLDER / f"{locale}.jsonl").read_text(encoding="utf-8").splitlines())


@cache
def measured(part: str, locale: str, sentences: SentenceJudge | None = None) -> Counts:
    counts = Counts()
    for row in rows(locale):
        if row["part"] != part:
            continue
        every = check(row["text"], kind=row["kind"], locale=locale, sentences=sentences)
        found = [violation for violation in every if violation.rule not in NOT_COUNTED]
        told = {violation.rule for violation in found}
        blocked = {violation.rule for violation in found if violation.blocks}
        rule = row["rule"]
        if row["violates"]:
            counts.lines[rule] += 1
            counts.found[rule] += rule in told
            counts.blocked[rule] += rule in blocked
        else:
            counts.innocent[rule] += 1
            counts.alarms[rule] += rule in told
            counts.blocks[rule] += rule in blocked
            counts.any_alarm += bool(told)
            counts.any_block += bool(blocked)
    return counts


def together(part: str, sentences: SentenceJudge | None = None) -> Counts:
    total = Counts()
    for counts in (measured(part, locale, sentences) for locale in LOCALES):
        for name in ("lines", "found", "blocked", "innocent", "alarms", "blocks"):
            getattr(total, name).update(getattr(counts, name))
        total.any_alarm += counts.any_alarm
        total.any_block += counts.any_block
    return total


def show(part: str, sentences: SentenceJudge | None = None) -> None:
    print(f"\n{part}, {'with the sentence model' if sentences else 'rules only'}")
    print("rule, found (of them blocked) of lines; false alarms (of them blocks) of innocent lines")
    total = together(part, sentences)
    for rule in RULES:
        print(
            f"{rule} {total.found[rule]:3} ({total.blocked[rule]:3}) of {total.lines[rule]};"
            f" {total.alarms[rule]:2} ({total.blocks[rule]}) of {total.innocent[rule]}"
        )
    for name, counts in [*((locale, measured(part, locale, sentences)) for locale in LOCALES), ("all", total)]:
        print(
            f"{name}: recall {counts.recall:.3f}, blocked {counts.block_recall:.3f}, precision {counts.precision:.3f};"
            f" innocent lines flagged {counts.flagged:.3f}, blocked {counts.wrongly_blocked:.3f}"
        )


@pytest.mark.parametrize(
    ("part", "recall", "blocked", "precision", "flagged", "wrongly_blocked"),
    [("development", 0.94, 0.54, 0.99, 0.01, 0.01), ("test", 0.42, 0.29, 0.88, 0.08, 0.04)],
)
def test_recall_does_not_fall_and_false_alarms_do_not_rise(part, recall, blocked, precision, flagged, wrongly_blocked):
    show(part)
    counts = together(part)
    assert counts.recall >= recall
    assert counts.block_recall >= blocked
    assert counts.precision >= precision
    assert counts.flagged <= flagged
    assert counts.wrongly_blocked <= wrongly_blocked


@pytest.fixture(scope="module")
def sentences(encoder):
    return SentenceJudge(lambda: encoder)


@pytest.mark.parametrize(
    ("part", "recall", "blocked", "precision", "flagged", "wrongly_blocked"),
    [("development", 0.98, 0.59, 0.98, 0.03, 0.01), ("test", 0.65, 0.38, 0.89, 0.11, 0.05)],
)
def test_the_sentence_model_hears_more(part, recall, blocked, precision, flagged, wrongly_blocked, sentences):
    show(part, sentences)
    counts = together(part, sentences)
    assert counts.recall >= recall
    assert counts.block_recall >= blocked
    assert counts.precision >= precision
    assert counts.flagged <= flagged
    assert counts.wrongly_blocked <= wrongly_blocked


@pytest.mark.parametrize("locale", LOCALES)
def test_every_rule_has_as_many_violations_as_look_alikes_in_each_part(locale):
    cells = Counter((row["part"], row["rule"], row["violates"]) for row in rows(locale))
    assert cells == {(part, rule, violates): 8 for part in PARTS for rule in RULES for violates in (True, False)}
    assert len({row["text"] for row in rows(locale)}) == len(rows(locale))
