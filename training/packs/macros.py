"""The macros of a pack: when each fits, what it fills by itself, how it reads, and what a person makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kb.macros import Macro
from kb.placeholders import Vocabulary, starter_vocabulary
from kb.rendering import render_example


@dataclass(frozen=True, slots=True)
class PackMacro:
    """One locked macro. ``when`` has the conditions as (fact, its words); ``example`` is filled with sample facts.

    ``fills`` are the facts that it takes from the order by itself; ``macro`` is what all of it was made of.
    """

    id: str
    title: str
    version: int
    marketplaces: tuple[str, ...]
    when: tuple[tuple[str, str], ...]
    body: str
    example: str
    fills: tuple[str, ...]
    used: int
    macro: Macro = field(repr=False, compare=False)


def pack_macros(
    macros: Sequence[Macro], reason: str, language: str, uses: Mapping[str, int], vocabulary: Vocabulary | None = None
) -> tuple[PackMacro, ...]:
    """The macros of ``reason`` that may be sent in ``language``: the most used first, then the least conditional.

    ``uses`` counts by macro id how often each was sent.
    """
    vocabulary = vocabulary or starter_vocabulary()
    own = [macro for macro in macros if macro.reason == reason and macro.locale == language and macro.locked]
    own.sort(key=lambda macro: (-uses.get(macro.id, 0), "amazon" in str(macro.fields.when), macro.id))
    return tuple(
        PackMacro(
            id=macro.id,
            title=macro.fields.title,
            version=macro.fields.version,
            marketplaces=macro.fields.marketplace,
            when=tuple(
                (name, _words(name, values, language, vocabulary)) for name, values in macro.fields.when.items()
            ),
            body=macro.body,
            example=render_example(macro, vocabulary).text,
            fills=macro.facts,
            used=uses.get(macro.id, 0),
            macro=macro,
        )
        for macro in own
    )


def _words(name: str, values: Sequence[str], language: str, vocabulary: Vocabulary) -> str:
    wording = vocabulary[name].words
    return " / ".join(wording.get(value, {}).get(language, value) for value in values)
