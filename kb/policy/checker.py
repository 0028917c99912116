"""The policy check: which rules of a marketplace a message breaks, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from classifier.datafile import read_text
from classifier.language import language_identifier
from kb.content import ANY_MARKETPLACE
from kb.macros import Macro, load_macro
from kb.placeholders import FactType, Vocabulary, starter_vocabulary
from kb.policy.detectors import detect
from kb.policy.judging import SentenceJudge
from kb.policy.kinds import Severity
from kb.policy.message import Message, PolicyContext
from kb.policy.rules import STRICTEST, Applies, RuleSet, rule_set
from kb.policy.violation import Violation
from kb.rendering import Rendered, render_example

_SUBJECT = re.compile(r"\ASubject:[^\n]*\n[ \t]*\n", re.IGNORECASE)


def check(
    text: str,
    *,
    marketplace: str = STRICTEST,
    kind: str = "reply",
    locale: str | None = None,
    context: PolicyContext | None = None,
    body_start: int = 0,
    rules: RuleSet | None = None,
    sentences: SentenceJudge | None = None,
) -> list[Violation]:
    """The violations in ``text``, in order of place. Empty means that it may be sent.

    ``kind`` is `reply` or `proactive`; ``locale`` the buyer's language, by default the one that most of the text is
    in; a subject may stand before ``body_start``. A marketplace without rules of its own is checked by Amazon's. With
    ``sentences`` the sentence model reads what the rules found nothing in; raises `SentenceModelError` where it cannot.
    """
    locale = locale or language_identifier().identify(text[body_start:])
    message = Message(text, marketplace, kind, locale, context or PolicyContext(), body_start)
    found: dict[tuple[str, tuple[int, int]], Violation] = {}
    hints: set[tuple[str, tuple[int, int]]] = set()
    in_force = rules or rule_set(marketplace)
    for rule in in_force.rules:
        if rule.applies is Applies.PROACTIVE and kind != Applies.PROACTIVE.value:
            continue
        for detector in rule.detectors:
            for span in detect(detector, message):
                severity = detector.severity or rule.severity
                violation = Violation(rule.id, severity, span, rule.message, rule.remedy, in_force.name)
                kept = found.setdefault((rule.id, span), violation)
                if violation.blocks and not kept.blocks:
                    found[rule.id, span] = violation
                if detector.severity is Severity.WARN:
                    hints.add((rule.id, span))
    sure = [violation for key, violation in found.items() if violation.blocks or key not in hints]
    unsure = [violation for key, violation in found.items() if not violation.blocks and key in hints]
    told = sure + _where_nothing_blocks(unsure, sure, message)
    if sentences is not None:
        read = sentences.findings(message, in_force, told)
        blocking = [violation for violation in (*told, *read) if violation.blocks]
        told += [violation for violation in read if violation.blocks]
        told += _where_nothing_blocks([violation for violation in read if not violation.blocks], blocking, message)
    return sorted(_without_contained(told), key=lambda v: (v.span, v.rule))


def _where_nothing_blocks(hints: list[Violation], sure: list[Violation], message: Message) -> list[Violation]:
    """The weaker findings in sentences that nothing else blocks: a sentence that must go needs no second reason."""
    whole = (message.body_start, len(message.text))
    blocked = [violation.span for violation in sure if violation.blocks and violation.span != whole]
    going = [
        sentence
        for sentence in (message.folded.span(*span) for span in message.sentences)
        if any(start < sentence[1] and sentence[0] < end for start, end in blocked)
    ]
    return [hint for hint in hints if not any(start < hint.span[1] and hint.span[0] < end for start, end in going)]


def _without_contained(violations: list[Violation]) -> list[Violation]:
    """A finding inside a wider one of the same rule and severity says nothing new."""
    return [
        inner
        for inner in violations
        if not any(
            outer.rule == inner.rule
            and outer.severity == inner.severity
            and outer.span != inner.span
            and outer.span[0] <= inner.span[0]
            and inner.span[1] <= outer.span[1]
            for outer in violations
        )
    ]


def check_rendered(
    macro: Macro,
    rendered: Rendered,
    *,
    marketplace: str | None = None,
    locale: str | None = None,
    context: PolicyContext | None = None,
    vocabulary: Vocabulary | None = None,
    sentences: SentenceJudge | None = None,
) -> list[Violation]:
    """The violations of a macro's rendered text; values that are ids are known to be no phone numbers."""
    vocabulary = vocabulary or starter_vocabulary()
    context = context or PolicyContext()
    ids, words = list(context.not_phones), list(context.other_language)
    for piece in rendered.inserted:
        value = rendered.text[piece.start : piece.end]
        if vocabulary[piece.slot.name].type is FactType.ID:
            ids.append(value)
        if vocabulary[piece.slot.name].type in {FactType.ID, FactType.TEXT, FactType.LIST}:
            words.append(value)
    known = PolicyContext(**{**context.__dict__, "not_phones": tuple(ids), "other_language": tuple(words)})
    if marketplace is None:
        listed = macro.fields.marketplace[0]
        marketplace = STRICTEST if listed == ANY_MARKETPLACE else listed
    return check(
        rendered.text,
        marketplace=marketplace,
        kind=macro.fields.kind.value,
        locale=locale or macro.locale,
        context=known,
        sentences=sentences,
    )


def check_macro(
    macro: Macro, *, marketplace: str | None = None, sentences: SentenceJudge | None = None
) -> list[Violation]:
    """The violations of a macro filled with example facts; spans are those of the macro's body."""
    rendered = render_example(macro)
    fulfilment = macro.fields.when.get("order.fulfilment", (None,))
    context = PolicyContext(fulfilment=fulfilment[0] if len(fulfilment) == 1 else None)
    return [
        replace(violation, span=_body_span(rendered, violation.span))
        for violation in check_rendered(macro, rendered, marketplace=marketplace, context=context, sentences=sentences)
    ]


def _body_span(rendered: Rendered, span: tuple[int, int]) -> tuple[int, int]:
    start = rendered.in_body(span[0])
    last = next((p for p in rendered.inserted if p.start < span[1] <= p.end), None)
    return start, last.slot.end if last else rendered.in_body(span[1] - 1) + 1


@dataclass(frozen=True)
class CheckedFile:
    """A message file or macro file, and what is wrong with it."""

    path: Path
    violations: list[Violation] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        """Whether it must not be sent."""
        return any(violation.blocks for violation in self.violations)

    def to_json(self) -> list[dict[str, Any]]:
        """One entry per violation, as `Violation.to_json` writes it."""
        return [violation.to_json(self.path) for violation in self.violations]


def check_file(
    path: Path,
    *,
    marketplace: str | None = None,
    kind: str | None = None,
    locale: str | None = None,
    context: PolicyContext | None = None,
    sentences: SentenceJudge | None = None,
) -> CheckedFile:
    """Check a macro file (it starts with front matter, which says kind and locale) or a plain message.

    A plain message may start with `Subject: ...` and an empty line; spans count from the start of the file, for
    a macro from the start of its body. Raises `DataFileError` when the file cannot be read.
    """
    text = read_text(path)
    if text.startswith("---"):
        return CheckedFile(path, check_macro(load_macro(path), marketplace=marketplace, sentences=sentences))
    subject = _SUBJECT.match(text)
    return CheckedFile(
        path,
        check(
            text.rstrip("\n"),
            marketplace=marketplace or STRICTEST,
            kind=kind or "reply",
            locale=locale,
            context=context,
            body_start=subject.end() if subject else 0,
            sentences=sentences,
        ),
    )
