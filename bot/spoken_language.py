"""Which language a conversation goes on in."""

from __future__ import annotations

from dataclasses import dataclass

from bot.decision import DecisionSettings
from bot.spoken_words import spoken_words
from classifier.language import UNKNOWN, LanguageIdentifier, language_code


def locale_for(wish: str | None, supported: frozenset[str], fallback: str) -> str:
    """The supported locale nearest to a BCP 47 tag such as ``fr-CH``."""
    language = language_code(wish or "")
    return language if language in supported else fallback


@dataclass(frozen=True)
class SpokenLanguage:
    """Decides from a message's identified language whether the conversation's changes."""

    identifier: LanguageIdentifier
    settings: DecisionSettings
    supported: frozenset[str]

    def after(self, text: str, identified: str, current: str) -> str:
        """The conversation's locale after ``text``; a short message changes it only by a word typical of the other."""
        words = [word.lower() for word in spoken_words(text)]
        if identified == current or identified not in self.supported or len(words) < self.settings.min_words_to_switch:
            return current
        if len(words) >= self.settings.sure_words:
            return identified
        typical = self.identifier.hints.hints.get(identified, frozenset())
        own = self.identifier.hints.hints.get(current, frozenset())
        return identified if any(word in typical and word not in own for word in words) else current

    def unsupported(self, text: str, identified: str) -> bool:
        """Whether ``text`` is surely in a language that the bot does not speak."""
        words = spoken_words(text)
        # Languages written without spaces have few words; there, letters count.
        enough = len(words) >= self.settings.min_words_unsupported or (not text.isascii() and _no_latin(words))
        return identified != UNKNOWN and identified not in self.supported and enough


def _no_latin(words: list[str]) -> bool:
    letters = "".join(words)
    return bool(letters) and not any(character.isascii() for character in letters)
