"""Content files become versions in the macro library, as long as no person has touched the macro there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

import sqlalchemy as sa

from desk.database import Database
from desk.macro_rows import UNREADABLE, called, change_from_row, life_of, macro_from_row, record, same_words
from desk.tables import macro_events, macro_versions, storable
from kb.content import STARTER_CONTENT
from kb.macro_life import PROGRAM, STARTER_AUTHOR, Event, MacroLife
from kb.macros import Macro, MacroStatus

log = logging.getLogger("paretodesk.macros")

ADOPTION_LOCK = 7_246_302  # any constant: one PostgreSQL advisory lock while content files are taken in

Key = tuple[str, str]


@dataclass(frozen=True)
class Adoption:
    """What became of the content files: how many were taken in as a new version, how many macros were retired
    because their file is gone, and which are the library's own by now (`id (locale)`), so that files count no more.
    """

    imported: int
    retired: int
    own: tuple[str, ...]


def adopt(database: Database, files: Sequence[Macro]) -> Adoption:
    """Bring the library to what ``files`` say, all in one transaction.

    A new file is version 1 with the status, author and approver that it states; a shipped one is the program's. A
    file that changed is the next version, a file that is gone retires its macro. A macro that a person edited,
    approved, locked or retired is left alone; so is one that this version of paretodesk cannot read, which is logged.
    """
    wanted = {(file.locale, file.id): file for file in files}
    with database.session() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sa.select(sa.func.pg_advisory_xact_lock(ADOPTION_LOCK)))
        stored = {
            (row.locale, row.macro_id): row
            for row in session.execute(sa.select(macro_versions).order_by(macro_versions.c.version))
        }  # the newest of each
        order = (macro_events.c.locale, macro_events.c.macro_id, macro_events.c.seq)
        told = session.execute(sa.select(macro_events).order_by(*order))
        histories = {key: list(rows) for key, rows in groupby(told, key=lambda row: (row.locale, row.macro_id))}
        imported = retired = 0
        own: list[str] = []
        now = datetime.now(UTC)
        for key in sorted({*wanted, *stored}):
            history, file, row = histories.get(key, []), wanted.get(key), stored.get(key)
            if any(change.actor != PROGRAM for change in history):
                own += [f"{key[1]} ({key[0]})"] if file else []
                continue
            name = called(key[1], key[0])
            try:
                life = life_of(name, map(change_from_row, history))
                newest = macro_from_row(row) if row else None
            except UNREADABLE as error:
                log.error("%s cannot be read, so its file is not taken in: %s", name, error)
                continue
            events = _mirror(life, file, newest)
            if events and (macro := file or newest):
                record(session, life, macro, events, now)
                imported += file is not None and file.fields.status is not MacroStatus.RETIRED
                retired += file is None or file.fields.status is MacroStatus.RETIRED
    return Adoption(imported, retired, tuple(own))


def _mirror(life: MacroLife, file: Macro | None, newest: Macro | None) -> tuple[Event, ...]:
    """What must happen so that a macro that only files have made is as its file says."""
    if file is None or file.fields.status is MacroStatus.RETIRED:
        return life.lose_file()
    standing = life.newest.status if life.newest else None
    if newest and same_words(newest, replace(file, body=str(storable(file.body)))) and standing is file.fields.status:
        return ()
    shipped = file.path.is_relative_to(STARTER_CONTENT)
    author, approver = (STARTER_AUTHOR, PROGRAM) if shipped else (file.fields.author, file.fields.approver)
    return life.take_in(file.fields.status, author, approver, f"{file.locale}/{file.path.name}")
