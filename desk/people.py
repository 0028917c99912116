"""Who works at this desk: the members of the routing file and the enabled accounts, and who is meant by ``@name``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk import DeskError
from desk.routing.rules import Routing
from desk.tables import accounts

# not inside a word, so that an e-mail address mentions nobody
_MENTION = re.compile(r"(?<![\w.@+-])@([^\W_][\w.@+-]{0,99})")
_ENDS = re.compile(r"[.@+_-]+$")
_PARTS = re.compile(r"[.@+_-]+[^.@+_-]*$")


class UnknownColleagueError(DeskError):
    """Nobody of this name works at this desk."""


def key_of(name: str) -> str:
    """One form for all spellings of a name."""
    return name.strip().casefold()


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody at this desk: how they sign in, how they are called, and their teams by id."""

    name: str
    display_name: str
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Who is asked in a text: ``known`` by the name they sign in with, each once; ``unknown`` as written."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]


class People:
    """Everybody at this desk, by `key_of` their name."""

    def __init__(self, everybody: Iterable[Colleague]) -> None:
        self.by_key: Mapping[str, Colleague] = {key_of(person.name): person for person in everybody}

    def get(self, name: str) -> Colleague:
        """Who is called so. Raises `UnknownColleagueError`, naming those who are similar."""
        if (found := self.by_key.get(key_of(name))) is not None:
            return found
        near = ", ".join(self.similar(name)) or ", ".join(sorted(self.by_key)) or "nobody yet"
        raise UnknownColleagueError(f"nobody at this desk is called {name[:100]!r}; did you mean: {near}")

    def similar(self, name: str) -> list[str]:
        """Up to three names that look alike."""
        return [self.by_key[key].name for key in get_close_matches(key_of(name), list(self.by_key), 3, 0.6)]

    def mentioned(self, text: str) -> Mentioned:
        """Who is asked by ``@name`` in a text; punctuation after a name is not part of it."""
        known: dict[str, None] = {}
        unknown: dict[str, None] = {}
        for match in _MENTION.finditer(text):
            written = _ENDS.sub("", match[1])
            name = written
            while key_of(name) not in self.by_key and _PARTS.search(name):
                name = _PARTS.sub("", name)
            if (found := self.by_key.get(key_of(name))) is not None:
                known[found.name] = None
            else:
                unknown[written] = None
        return Mentioned(tuple(known), tuple(unknown))


def people(session: Session, routing: Routing, *agents: str) -> People:
    """The members of ``routing`` and the enabled accounts; on a desk without accounts its ``agents``."""
    rows = session.execute(sa.select(accounts.c.username, accounts.c.display_name, accounts.c.disabled_at)).all()
    found = {key_of(name): Colleague(name, name) for name in (() if rows else agents) if name.strip()}
    found |= {name: Colleague(name, name, member.teams) for name, member in routing.members.items()}
    for row in rows:
        if row.disabled_at is None:
            member = routing.members.get(row.username)
            found[row.username] = Colleague(row.username, row.display_name, member.teams if member else ())
    return People(found[key] for key in sorted(found))
