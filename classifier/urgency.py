"""How soon a ticket needs an answer, from cues in five languages: dangers, deadlines, pleas, nothing asked at all."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from pathlib import Path

from classifier.datafile import load_yaml
from classifier.folding import fold
from classifier.patterns import PatternFile

_READ_CHARACTERS = 4_000


class Urgency(StrEnum):
    """How soon somebody must act, least first."""

    LOW = "low"
    """Nothing waits for it: a question before buying, thanks, an offer."""
    NORMAL = "normal"
    HIGH = "high"
    """A date within days, a parcel about to leave, money at stake."""
    CRITICAL = "critical"
    """Health, law, or a claim whose clock runs."""


@cache
def _cues() -> re.Pattern[str]:
    data = load_yaml(Path(__file__).parent / "data" / "urgency.yaml", PatternFile)
    levels = (f"(?P<{Urgency(level)}>{'|'.join(cues)})" for level, cues in data.patterns.items())
    return re.compile(rf"(?<!\w)(?:{'|'.join(levels)})(?!\w)")


def urgency(text: str) -> Urgency:
    """The level of the most urgent cue; a cue for `Urgency.LOW` counts only where no other is found."""
    found = {match.lastgroup for match in _cues().finditer(fold(text[:_READ_CHARACTERS]))}
    for level in (Urgency.CRITICAL, Urgency.HIGH, Urgency.LOW):
        if level in found:
            return level
    return Urgency.NORMAL
