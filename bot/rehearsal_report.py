"""What scripted conversations showed: shares with intervals, per topic and per language, and every fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.script import Ending, Topic
from bot.script_verdict import Verdict
from kb.evaluation import Share


@dataclass(frozen=True)
class Figures:
    """Counts over some conversations.

    ``resolved`` is the share of the self-service ones among them that ended with a right answer and without a ticket
    for a person; ``answers`` are articles and macros said, ``wrong`` the share of wrong ones among them. ``failed``
    does not count ``known_gaps``.
    """

    conversations: int
    passed: int
    failed: int
    known_gaps: int
    resolved: Share
    handed_off: int
    answers: int
    wrong: Share
    needless_tickets: int
    human_only_answers: int
    disclosures: int
    loops: int

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {**vars(self), "resolved": self.resolved.to_json(), "wrong": self.wrong.to_json()}


@dataclass(frozen=True)
class RehearsalReport:
    """The figures of all conversations and of groups of them, and the verdicts themselves."""

    verdicts: tuple[Verdict, ...]
    total: Figures
    topics: dict[str, Figures]
    locales: dict[str, Figures]

    @property
    def failures(self) -> tuple[Verdict, ...]:
        """Conversations with a fault that no ``known_gap`` explains."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed and not verdict.placed.script.known_gap)

    @property
    def known_gaps(self) -> tuple[Verdict, ...]:
        """Conversations whose fault is known."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passed and verdict.placed.script.known_gap)

    @property
    def closed_gaps(self) -> tuple[Verdict, ...]:
        """Conversations that pass although a ``known_gap`` says that they do not: remove it."""
        return tuple(verdict for verdict in self.verdicts if verdict.passed and verdict.placed.script.known_gap)

    @property
    def ok(self) -> bool:
        """Whether every expectation and promise holds, known gaps aside."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "ok": self.ok,
            "total": self.total.to_json(),
            "tags": {name: figures.to_json() for name, figures in self.topics.items()},
            "locales": {name: figures.to_json() for name, figures in self.locales.items()},
            "conversations": [_row(verdict) for verdict in self.verdicts],
        }


def report_on(verdicts: Sequence[Verdict]) -> RehearsalReport:
    """Count ``verdicts``."""
    locales = sorted({verdict.placed.script.locale for verdict in verdicts})
    topics = [topic for topic in Topic if any(topic in verdict.placed.script.tags for verdict in verdicts)]
    return RehearsalReport(
        verdicts=tuple(verdicts),
        total=_figures(verdicts),
        topics={str(topic): _figures(v for v in verdicts if topic in v.placed.script.tags) for topic in topics},
        locales={locale: _figures(v for v in verdicts if v.placed.script.locale == locale) for locale in locales},
    )


def transcript(verdict: Verdict) -> list[str]:
    """The conversation as lines: what was said, and where the words of the reply come from."""
    lines = []
    for step in verdict.steps:
        lines.append(f"> {step.said}")
        reply = step.reply
        lines.append(f"  {reply.act} ({reply.reason or 'no reason'})")
        lines += [f"  {said.source}: {' '.join(said.text.split())}" for said in reply.messages]
        if reply.choices:
            lines.append(f"  [{'] ['.join(choice.value for choice in reply.choices)}]")
    return [*lines, f"  ended {verdict.ending}"]


def _figures(chosen: Iterable[Verdict]) -> Figures:
    verdicts = list(chosen)
    own = [verdict for verdict in verdicts if Topic.SELF_SERVICE in verdict.placed.script.tags]
    gaps = sum(not verdict.passed and verdict.placed.script.known_gap is not None for verdict in verdicts)
    answers = sum(verdict.answers for verdict in verdicts)
    passed = sum(verdict.passed for verdict in verdicts)
    return Figures(
        conversations=len(verdicts),
        passed=passed,
        failed=len(verdicts) - passed - gaps,
        known_gaps=gaps,
        resolved=Share.count(sum(verdict.contained for verdict in own), len(own)),
        handed_off=sum(verdict.ending is Ending.HANDED_OFF for verdict in verdicts),
        answers=answers,
        wrong=Share.count(sum(len(verdict.wrong_answers) for verdict in verdicts), answers),
        needless_tickets=sum(len(verdict.needless_tickets) for verdict in verdicts),
        human_only_answers=sum(len(verdict.human_only_answers) for verdict in verdicts),
        disclosures=sum(len(verdict.disclosures) for verdict in verdicts),
        loops=sum(len(verdict.loops) for verdict in verdicts),
    )


def _row(verdict: Verdict) -> dict[str, Any]:
    script = verdict.placed.script
    return {
        "id": script.id,
        "at": verdict.placed.at(),
        "locale": script.locale,
        "tags": [str(tag) for tag in script.tags],
        "ending": str(verdict.ending),
        "passed": verdict.passed,
        "known_gap": script.known_gap,
        "faults": list(verdict.faults),
        "misses": list(verdict.misses),
    }
