"""What customers say to steer the conversation: a person, yes, no, thanks, a greeting, no order number."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml
from classifier.folding import FoldedPattern, fold

STARTER_PHRASES = Path(__file__).parent / "data" / "phrases.yaml"
_ENDS = re.compile(r"^\W+|\W+$")

Patterns = dict[str, tuple[FoldedPattern, ...]]


class Intent(StrEnum):
    """What a short phrase asks the bot to do."""

    PERSON = "person"
    YES = "yes"
    NO = "no"
    THANKS = "thanks"
    GREETING = "greeting"
    NO_ORDER = "no_order"


class PhraseData(BaseModel):
    """The data file ``phrases.yaml``: patterns per language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    person: Patterns
    yes: Patterns
    no: Patterns
    thanks: Patterns
    greeting: Patterns
    no_order: Patterns


class Phrases:
    """Recognises `Intent`s in a message, in every language at once."""

    def __init__(self, data: PhraseData) -> None:
        self._anywhere = re.compile(_any_of(data.person))
        self._whole = {
            intent: re.compile(_any_of(getattr(data, intent.value))) for intent in Intent if intent is not Intent.PERSON
        }

    def heard(self, text: str) -> frozenset[Intent]:
        """The intents of ``text``; `PERSON` anywhere in it, the others only where they are all of it."""
        folded = fold(text)
        found = {Intent.PERSON} if self._anywhere.search(folded) else set()
        whole = _ENDS.sub("", folded)
        return frozenset(found | {intent for intent, pattern in self._whole.items() if pattern.fullmatch(whole)})


def _any_of(patterns: Patterns) -> str:
    return "|".join(f"(?:{pattern})" for listed in patterns.values() for pattern in listed)


@cache
def starter_phrases() -> Phrases:
    """The shipped phrases."""
    return Phrases(load_yaml(STARTER_PHRASES, PhraseData))
