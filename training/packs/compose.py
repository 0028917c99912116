"""A training pack for one contact reason, put together from the desk's records and the written lessons.

PackError
    └── there is no such contact reason, or none that a pack can be made of
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from classifier.taxonomy import OTHER, Autonomy, Taxonomy
from kb.policy import Severity, marketplaces, rule_set
from kb.policy.rules import STRICTEST
from training.packs.anonymity import anonymous
from training.packs.bank import LANGUAGES, Mistake, Question, Wording, lesson_of, quiz_of, wording
from training.packs.cases import Reopens, corrections, reopens
from training.packs.macros import PackMacro, pack_macros
from training.packs.shown_cases import Case, PackSources, cases_of


class PackError(ValueError):
    """A pack cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Rule:
    """A rule of the marketplaces' rule sets: where it holds, how hard, and the sources that the sets name."""

    id: str
    statement: str
    marketplaces: tuple[str, ...]
    blocks: bool
    sources: tuple[str, ...]


@dataclass(frozen=True)
class PolicyPoint:
    """What the desk does, with readable sources."""

    text: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A question of the quiz with readable sources."""

    question: str
    answer: str
    why: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Confusion:
    """A correction in words: the reason that the tag was changed from and the one that it was changed to."""

    instead_of: str
    reason: str
    times: int


@dataclass(frozen=True)
class Pack:
    """Everything that is printed. ``own_lesson``: the lesson was written for this reason, not for its autonomy.

    ``returns`` are the anonymised words of customers who came back.
    """

    reason: str
    language: str
    name: str
    start: date
    end: date
    autonomy: Autonomy
    meaning: str
    metrics: tuple[tuple[str, str], ...]
    tickets: int
    share: float | None
    rank: int | None
    own_lesson: bool
    recognise: tuple[str, ...]
    policy: tuple[PolicyPoint, ...]
    rules: tuple[Rule, ...]
    personalise: tuple[str, ...]
    macros: tuple[PackMacro, ...]
    cases: tuple[Case, ...]
    confusions: tuple[Confusion, ...]
    reopens: Reopens
    returns: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    quiz: tuple[Asked, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys; no ticket's id or fields in it."""
        data = asdict(replace(self, reopens=replace(self.reopens, told=()), mistakes=()))
        data["reopens"].pop("told")
        data["macros"] = [{key: value for key, value in macro.items() if key != "macro"} for macro in data["macros"]]
        data |= {"start": self.start.isoformat(), "end": self.end.isoformat(), "autonomy": str(self.autonomy)}
        return data | {"mistakes": [mistake.model_dump() for mistake in self.mistakes]}


@dataclass(frozen=True)
class Volume:
    """How often the reason was asked in the window: tickets, share of those with a reason, rank; see `top_reasons`."""

    tickets: int = 0
    share: float | None = None
    rank: int | None = None


def compose(
    sources: PackSources,
    reason: str,
    language: str,
    start: date,
    end: date,
    *,
    volume: Volume | None = None,
    uses: Mapping[str, int] | None = None,
) -> Pack:
    """The pack of ``reason`` from the tickets created in the window. Raises `PackError`, `DataFileError`.

    ``uses`` counts by macro id how often each was sent.
    """
    facts = _reason(sources.taxonomy, reason)
    if language not in LANGUAGES:
        raise PackError(f"packs are not written in '{language}'; choose one of: {', '.join(LANGUAGES)}")
    words = wording(language)
    lesson, own = lesson_of(reason, facts.autonomy, language)
    macros = pack_macros(sources.macros, reason, language, uses or {})
    back = reopens(sources.desk, reason, start, end)
    volume = volume or Volume()
    cited = _Citing(words, sources, language)
    return Pack(
        reason=reason,
        language=language,
        name=facts.name(language),
        start=start,
        end=end,
        autonomy=facts.autonomy,
        meaning=words.meanings.get(reason, facts.meaning),
        metrics=tuple((code, words.metrics.get(code, code)) for code in facts.metrics_at_risk),
        tickets=volume.tickets,
        share=volume.share,
        rank=volume.rank,
        own_lesson=own,
        recognise=lesson.recognise,
        policy=tuple(PolicyPoint(point.text, cited.all(point.source)) for point in lesson.policy),
        rules=tuple(_rule(rule_id, words) for rule_id in lesson.rules),
        personalise=lesson.personalise,
        macros=macros,
        cases=cases_of(sources, reason, language, start, end, macros, words),
        confusions=tuple(
            Confusion(_name(sources, one.instead_of, language), _name(sources, one.reason, language), one.times)
            for one in corrections(sources.desk, reason, start, end)
        ),
        reopens=back,
        returns=tuple(
            anonymous(one.text, one.language, one.ticket, one.people, words.placeholders) for one in back.told
        ),
        mistakes=lesson.mistakes,
        quiz=tuple(_asked(question, cited) for question in quiz_of(reason, facts.autonomy, language)),
    )


def _reason(taxonomy: Taxonomy, reason: str) -> Any:
    known = ", ".join(one for one in taxonomy.ids if one != OTHER)
    if reason not in taxonomy:
        raise PackError(f"there is no contact reason '{reason}'; choose one of: {known}")
    if reason == OTHER:
        raise PackError(f"'{OTHER}' is no contact reason that can be trained; choose one of: {known}")
    return taxonomy[reason]


def _name(sources: PackSources, reason: str, language: str) -> str:
    return sources.taxonomy[reason].name(language) if reason in sources.taxonomy else reason


def _asked(question: Question, cited: _Citing) -> Asked:
    return Asked(question.question, question.answer, question.why, cited.all(question.source))


def _rule(rule_id: str, words: Wording) -> Rule:
    """The rule as the strictest marketplace that has it words it."""
    found = [(name, rule) for name in marketplaces() for rule in rule_set(name).rules if rule.id == rule_id]
    if not found:
        raise PackError(f"the lesson names the rule {rule_id}, which no rule set has")
    found.sort(key=lambda pair: pair[0] != STRICTEST)
    sources = dict.fromkeys(source for _, rule in found[:1] for source in rule.source)
    return Rule(
        rule_id,
        words.rules.get(rule_id, found[0][1].statement),
        tuple(words.marketplaces.get(name, name) for name, _ in found),
        found[0][1].severity is Severity.BLOCK,
        tuple(words["own_rule"] if source == "ours" else source for source in sources) or (words["own_rule"],),
    )


class _Citing:
    """Sources as readers know them."""

    def __init__(self, words: Wording, sources: PackSources, language: str) -> None:
        self._words = words
        self._titles = {
            ("article", article.id): article.fields.title for article in sources.articles if article.locale == language
        } | {("macro", macro.id): macro.fields.title for macro in sources.macros if macro.locale == language}

    def all(self, sources: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._one(source) for source in sources)

    def _one(self, source: str) -> str:
        kind, _, key = source.partition(":")
        if kind == "domain":
            return f"{self._words['source_domain']}{self._words.colon} {self._words.domain[key]}"
        if kind == "taxonomy":
            return self._words["source_taxonomy"]
        if kind == "rule":
            return f"{self._words['source_rule']} {key}"
        title = self._titles.get((kind, key), key)
        return self._words[f"source_{kind}"].format(title=title)
