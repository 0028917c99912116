"""What the human-only guard hears and what it wrongly raises, on messages that were written to get past it.

The set lies in ``guard_set/<locale>.jsonl``; its README says how it was made and what its two parts are for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.stats import binomtest

from classifier.guard import MODEL_RULE, UNAVAILABLE_RULE
from classifier.tagger import Tagger
from classifier.taxonomy import Autonomy, Taxonomy, starter_taxonomy
from training.corpus import corpus_error

GUARD_SET = Path(__file__).parent / "guard_set"
_NOT_A_RULE = {MODEL_RULE, UNAVAILABLE_RULE}


class GuardMessage(BaseModel):
    """One message and whether a person must answer it.

    ``part`` is ``development`` (rules may be improved by reading it) or ``test`` (only measured on). ``direct`` is
    false where a human-only message avoids the obvious words, or where an ordinary one uses them (a look-alike).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(min_length=1)
    locale: str
    part: Literal["development", "test"]
    human_only: bool
    reason: str
    direct: bool
    body: str = Field(pattern=r"\S")


@dataclass(frozen=True)
class RaisedShare:
    """How many of ``n`` messages raised the guard, with the exact 95% interval (Clopper and Pearson 1934), 0..1."""

    raised: int
    n: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True)
class GuardFigures:
    """One way of guarding, measured.

    ``recall`` counts human-only messages, ``false_alarms`` ordinary ones; ``indirect_recall`` and ``look_alike_alarms``
    are those with ``direct`` false. ``per_reason`` is recall for human-only reasons and false alarms for the others.
    """

    recall: RaisedShare
    false_alarms: RaisedShare
    indirect_recall: RaisedShare
    look_alike_alarms: RaisedShare
    recall_per_language: dict[str, RaisedShare]
    false_alarms_per_language: dict[str, RaisedShare]
    per_reason: dict[str, RaisedShare]


@dataclass(frozen=True)
class Misjudged:
    """A message that the guard missed, or raised for nothing."""

    id: str
    locale: str
    reason: str
    body: str


@dataclass(frozen=True)
class GuardEvaluation:
    """The guard on labelled messages. ``rules_or_model`` is None for a tagger without a model.

    ``misses`` and ``alarms`` are those of the whole guard: rules or model, rules alone without a model.
    """

    rules: GuardFigures
    rules_or_model: GuardFigures | None
    misses: tuple[Misjudged, ...]
    alarms: tuple[Misjudged, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain figures and texts, for a model card or a report."""
        return asdict(self)


def load_guard_set(folder: Path = GUARD_SET, taxonomy: Taxonomy | None = None) -> list[GuardMessage]:
    """Every message of ``<folder>/<locale>.jsonl``, all mistakes reported at once. Raises `CorpusError`."""
    taxonomy = taxonomy or starter_taxonomy()
    human_only = taxonomy.with_autonomy(Autonomy.HUMAN_ONLY)
    messages: dict[str, GuardMessage] = {}
    mistakes = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except UnicodeDecodeError as error:
            mistakes.append(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8")
            continue
        for number, line in enumerate(lines, start=1):
            try:
                message = GuardMessage.model_validate(_fields(line, path.stem))
            except ValidationError as error:
                mistakes += [
                    f"{path}:{number}: {'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in error.errors()
                ]
                continue
            except ValueError as error:
                mistakes.append(f"{path}:{number}: {error}")
                continue
            if message.reason not in taxonomy:
                mistakes.append(f"{path}:{number}: reason: '{message.reason}' is no contact reason of the taxonomy")
            elif message.human_only != (message.reason in human_only):
                mistakes.append(f"{path}:{number}: human_only: the taxonomy says otherwise of '{message.reason}'")
            if message.id in messages:
                mistakes.append(f"{path}:{number}: id: '{message.id}' is used twice")
            messages[message.id] = message
    if not messages and not mistakes:
        mistakes.append(f"{folder}: no <locale>.jsonl files with messages")
    if mistakes:
        raise corpus_error(mistakes)
    return list(messages.values())


def _fields(line: str, locale: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error}; write one object a line") from error
    if not isinstance(row, dict):
        raise ValueError("a line must be a JSON object")
    return {**row, "locale": locale}


def evaluate_guard(tagger: Tagger, messages: Sequence[GuardMessage]) -> GuardEvaluation:
    """Tag every message once, without a subject, and count what raised the guard."""
    guards = [set(tag.guard) for tag in tagger.tag_many([("", message.body) for message in messages])]
    by_rules = [bool(guard - _NOT_A_RULE) for guard in guards]
    # Without a model the guard is closed for every message, which says nothing of what it hears.
    by_either = None if tagger.model is None else [bool(guard) for guard in guards]
    whole = by_rules if by_either is None else by_either
    return GuardEvaluation(
        rules=_figures(messages, by_rules),
        rules_or_model=None if by_either is None else _figures(messages, by_either),
        misses=tuple(_misjudged(m) for m, raised in zip(messages, whole, strict=True) if m.human_only and not raised),
        alarms=tuple(_misjudged(m) for m, raised in zip(messages, whole, strict=True) if raised and not m.human_only),
    )


def _figures(messages: Sequence[GuardMessage], raised: Sequence[bool]) -> GuardFigures:
    judged = list(zip(messages, raised, strict=True))

    def share(of: Callable[[GuardMessage], bool]) -> RaisedShare:
        return _share([hit for message, hit in judged if of(message)])

    locales = sorted({message.locale for message in messages})
    reasons = sorted({message.reason for message in messages})
    return GuardFigures(
        recall=share(lambda m: m.human_only),
        false_alarms=share(lambda m: not m.human_only),
        indirect_recall=share(lambda m: m.human_only and not m.direct),
        look_alike_alarms=share(lambda m: not m.human_only and not m.direct),
        recall_per_language={
            at: _share([hit for m, hit in judged if m.human_only and m.locale == at]) for at in locales
        },
        false_alarms_per_language={
            at: _share([hit for m, hit in judged if not m.human_only and m.locale == at]) for at in locales
        },
        per_reason={reason: _share([hit for m, hit in judged if m.reason == reason]) for reason in reasons},
    )


def _share(raised: Sequence[bool]) -> RaisedShare:
    if not raised:
        return RaisedShare(0, 0, None, 0.0, 1.0)
    interval = binomtest(sum(raised), len(raised)).proportion_ci(method="exact")
    return RaisedShare(sum(raised), len(raised), sum(raised) / len(raised), float(interval.low), float(interval.high))


def _misjudged(message: GuardMessage) -> Misjudged:
    return Misjudged(message.id, message.locale, message.reason, message.body)
