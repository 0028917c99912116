"""A macro as it might have read for a ticket, where the text that was really sent is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml
from kb.macros import Macro
from kb.placeholders import starter_vocabulary
from kb.rendering import Missing, render, render_example

FILE = Path(__file__).parent / "plausible.yaml"


class DaysWhere(BaseModel):
    """Other days for a macro with a condition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fact: str
    value: str
    days: dict[str, int]


class PlausibleFacts(BaseModel):
    """The file ``plausible.yaml``; its head says what the fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taken: tuple[str, ...]
    hidden: dict[str, str]
    days: dict[str, int]
    where: tuple[DaysWhere, ...]


@cache
def plausible_facts() -> PlausibleFacts:
    """The shipped file. Raises `DataFileError`."""
    return load_yaml(FILE, PlausibleFacts)


@dataclass(frozen=True, slots=True)
class Occasion:
    """A ticket as far as it may show: the day on which the customer wrote, and facts of its order."""

    day: date
    facts: Mapping[str, str]


def shown_for(macro: Macro, occasion: Occasion, words: Mapping[str, str]) -> str:
    """``macro`` filled with what may be told of the ticket's order, days around it, and sample facts for the rest.

    ``words`` is how the language writes what was taken out, by kind. What the macro's conditions promise holds.
    """
    settings, vocabulary = plausible_facts(), starter_vocabulary()
    days = dict(settings.days)
    for other in settings.where:
        if other.value in macro.fields.when.get(other.fact, ()):
            days |= other.days
    facts: dict[str, object] = {name: one.example for name, one in vocabulary.placeholders.items()}
    facts |= {name: (occasion.day + timedelta(days=offset)).isoformat() for name, offset in days.items()}
    facts |= {name: occasion.facts[name] for name in settings.taken if occasion.facts.get(name)}
    facts |= {name: f"X{kind}X" for name, kind in settings.hidden.items()}
    facts |= {name: values[0] for name, values in macro.fields.when.items()}
    filled = render(macro, facts)
    text = render_example(macro).text if isinstance(filled, Missing) else filled.text
    for kind in settings.hidden.values():
        text = text.replace(f"X{kind}X", f"[{words[kind]}]")
    return text
