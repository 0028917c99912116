"""Many tickets at once."""

from __future__ import annotations

from collections.abc import Sequence

from classifier.tagger import Tag
from service.current_model import CurrentTagger


def tag_in_bulk(tagger: CurrentTagger, tickets: Sequence[tuple[str, str]]) -> list[Tag]:
    """Tags in order."""
    return tagger.tag_many(tickets)
