"""Which language a message is written in, also when it has five words."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml

UNKNOWN = "und"
"""BCP 47's code for an undetermined language."""

# Reading more of a message does not change its language, only the time it takes.
_READ_CHARACTERS = 1_000
_restricting = threading.Lock()
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def language_code(tag: str) -> str:
    """The language of a BCP 47 tag or a locale name: ``fr`` for ``fr-CH``, ``FR`` and ``fr_FR``; empty for nothing."""
    return tag.replace("_", "-").split("-")[0].strip().lower()


class LanguageHints(BaseModel):
    """The data file ``languages.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    supported: tuple[str, ...]
    candidates: tuple[str, ...]
    hint_weight: float
    min_letters: int
    hints: dict[str, frozenset[str]]


@dataclass(frozen=True)
class LanguageIdentifier:
    """py3langid's naive Bayes over byte n-grams (Lui & Baldwin 2012), helped by hint words on short texts."""

    hints: LanguageHints

    def identify(self, text: str) -> str:
        """ISO 639-1 code of the language, or `UNKNOWN` where there are no letters to judge by."""
        import py3langid

        text = text[:_READ_CHARACTERS]
        words = [word.replace("’", "'").lower() for word in _WORDS.findall(text)]
        if sum(map(len, words)) < self.hints.min_letters:
            return UNKNOWN
        # It swaps the library's tables one by one: a second thread must not read, nor begin it, half-way.
        with _restricting:
            _restrict(self.hints.candidates)
        scores = {code: float(score) for code, score in py3langid.rank(" ".join(words))}
        for word, times in Counter(words).items():
            for code, known in self.hints.hints.items():
                if word in known:
                    scores[code] = scores.get(code, 0.0) + self.hints.hint_weight * min(times, 2)
        best: str = max(scores, key=lambda code: scores[code])
        return best

    def supported(self, code: str) -> bool:
        """Whether the desk works in that language."""
        return code in self.hints.supported


@cache
def _restrict(candidates: tuple[str, ...]) -> None:
    import py3langid

    py3langid.set_languages(list(candidates))


@cache
def language_identifier() -> LanguageIdentifier:
    """The shipped identifier."""
    return LanguageIdentifier(load_yaml(Path(__file__).parent / "data" / "languages.yaml", LanguageHints))
