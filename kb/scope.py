"""Which content may be said: in which language, to whom, on which marketplace."""

from __future__ import annotations

from dataclasses import dataclass

from kb.articles import Audience, Passage
from kb.content import suits_marketplace


@dataclass(frozen=True)
class Scope:
    """A filter over passages. ``marketplace`` None takes all; an agent also reads what customers read."""

    locale: str
    audience: Audience = Audience.CUSTOMER
    marketplace: str | None = None

    def admits(self, passage: Passage) -> bool:
        """Whether ``passage`` may be shown in this scope."""
        return (
            passage.locale == self.locale
            and (self.audience is Audience.AGENT or passage.audience is Audience.CUSTOMER)
            and suits_marketplace(passage.marketplace, self.marketplace)
        )
