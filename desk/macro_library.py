"""The macro library: every version of every macro, the steps of its life, and the audit log.

DeskError
    ├── UnknownMacroError   no macro or version of this name
    └── MacroContentError   a macro's words or conditions cannot be stored; one mistake per line
MacroStepError (kb.macro_life)   the step does not fit the macro's life
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from classifier.taxonomy import Taxonomy, starter_taxonomy
from desk import DeskError
from desk.database import Database
from desk.macro_rows import (
    UNREADABLE,
    MacroChange,
    MacroVersion,
    called,
    change_from_row,
    life_from_row,
    life_of,
    macro_from_row,
    record,
    same_words,
    verdicts_of,
)
from desk.tables import macro_events, macro_versions, storable
from kb.content import place_mistakes
from kb.macro_life import Event, MacroLife, MacroStepError
from kb.macro_verdict import judge, rules_for
from kb.macros import Macro, MacroStatus, Mistake, macro_mistakes
from kb.placeholders import Vocabulary, starter_vocabulary
from kb.policy import SentenceJudge

log = logging.getLogger("paretodesk.macros")

LONGEST_BODY = 20_000
"""Characters; as long as a reply of an agent may be."""

Mark = tuple[int, int]


class UnknownMacroError(DeskError):
    """There is no macro, or no version of it, of that name."""


class MacroContentError(DeskError):
    """A macro's words or conditions cannot be stored; ``mistakes`` has one text per mistake."""

    def __init__(self, name: str, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{name}: {mistake}" for mistake in mistakes))


@dataclass(frozen=True)
class MacroSummary:
    """One macro in one language at a glance: the newest words, what serves, and what is in work (versions)."""

    newest: Macro
    serving: int | None
    in_work: int | None

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        fields = self.newest.fields
        return {
            "id": fields.id,
            "locale": fields.locale,
            "reason": fields.reason,
            "title": fields.title,
            "marketplace": list(fields.marketplace),
            "kind": fields.kind.value,
            "newest": fields.version,
            "status": fields.status.value,
            "serving": self.serving,
            "in_work": self.in_work,
        }


class MacroLibrary:
    """Macros over one `Database`. Every step is one committed transaction; safe between threads and processes.

    Steps raise `UnknownMacroError` and `MacroStepError`; everything raises `DatabaseError`. ``by`` names the person
    who acts, and is taken on trust: staff share one secret. With ``sentences`` the sentence model reads what is
    saved or checked, beside the rules.
    """

    def __init__(
        self,
        database: Database,
        taxonomy: Taxonomy | None = None,
        vocabulary: Vocabulary | None = None,
        sentences: SentenceJudge | None = None,
    ) -> None:
        self.database = database
        self._sentences = sentences
        self._taxonomy = taxonomy or starter_taxonomy()
        self.vocabulary = vocabulary or starter_vocabulary()

    # -- reading -------------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """A value that differs after any change; cheap enough to ask often."""
        # the count too: PostgreSQL hands out sequence numbers before it commits, in any order
        query = sa.select(sa.func.coalesce(sa.func.max(macro_events.c.seq), 0), sa.func.count())
        with self.database.session(read_only=True) as session:
            newest, number = session.execute(query.select_from(macro_events)).one()
        return newest, number

    def locked(self) -> list[Macro]:
        """The macros that serve. One that this version of paretodesk cannot fill is left out and logged."""
        query = (
            sa.select(macro_versions)
            .where(macro_versions.c.status == MacroStatus.LOCKED.value)
            .order_by(macro_versions.c.locale, macro_versions.c.macro_id)
        )
        with self.database.session(read_only=True) as session:
            rows = session.execute(query).all()
        return [macro for row in rows if (macro := self._usable(row)) is not None]

    def macros(self) -> list[MacroSummary]:
        """Every macro, by locale and id. A row that this version of paretodesk cannot read is left out and logged."""
        order = (macro_versions.c.locale, macro_versions.c.macro_id, macro_versions.c.version)
        with self.database.session(read_only=True) as session:
            rows = session.execute(sa.select(macro_versions).order_by(*order)).all()
        found: dict[tuple[str, str], MacroSummary] = {}
        for row in rows:
            key = (row.locale, row.macro_id)
            try:
                life, macro = life_from_row(row), macro_from_row(row)
            except UNREADABLE as error:
                log.error("%s version %s cannot be read: %s", called(row.macro_id, row.locale), row.version, error)
                continue
            before = found.get(key)
            serving, in_work = (before.serving, before.in_work) if before else (None, None)
            serving = life.number if life.status is MacroStatus.LOCKED else serving
            found[key] = MacroSummary(macro, serving, life.number if life.open else in_work)
        return list(found.values())

    def versions(self, macro_id: str, locale: str) -> list[MacroVersion]:
        """All versions of a macro, oldest first. Raises `UnknownMacroError`."""
        with self.database.session(read_only=True) as session:
            rows = session.execute(_of(sa.select(macro_versions), macro_id, locale, macro_versions)).all()
            verdicts = verdicts_of(_changes(session, macro_id, locale))
        if not rows:
            raise UnknownMacroError(f"there is no {called(macro_id, locale)}; `paretodesk macros list` shows all")
        return [
            MacroVersion(macro_from_row(row), life_from_row(row), row.written_at, verdicts.get(row.version))
            for row in rows
        ]

    def version(self, macro_id: str, locale: str, number: int | None = None) -> MacroVersion:
        """One version of a macro, by default the newest. Raises `UnknownMacroError`."""
        versions = self.versions(macro_id, locale)
        if number is None:
            return versions[-1]
        for version in versions:
            if version.life.number == number:
                return version
        has = ", ".join(str(version.life.number) for version in versions)
        raise UnknownMacroError(f"{called(macro_id, locale)} has no version {number}; its versions: {has}")

    def history(self, macro_id: str, locale: str) -> list[MacroChange]:
        """The audit log of a macro, oldest first. Raises `UnknownMacroError`."""
        with self.database.session(read_only=True) as session:
            changes = _changes(session, macro_id, locale)
        if not changes:
            raise UnknownMacroError(f"there is no {called(macro_id, locale)}; `paretodesk macros list` shows all")
        return changes

    # -- steps ---------------------------------------------------------------------------------------------

    def write(self, macro: Macro, by: str, based_on: int | None = None) -> MacroVersion:
        """Save ``macro`` as the next version of the one that was edited (None: a new macro), and check it at once.

        Its version, status, author and approver are the library's to give. Raises `MacroContentError`.
        """
        macro = replace(macro, body=str(storable(macro.body.replace("\r\n", "\n").strip("\n"))))
        self._sound(macro)
        # before anything is stored: a version that cannot be judged would be a draft that nobody can check
        verdict = judge(macro, self._sentences)
        name = called(macro.id, macro.locale)
        if based_on is not None:
            before = self.version(macro.id, macro.locale)
            if before.life.status is not MacroStatus.RETIRED and same_words(macro, before.macro):
                raise MacroStepError(f"{name} version {before.life.number} says the same: there is nothing to save")
        try:
            life = self._step(macro, lambda life: life.write(by, based_on))
        except sa.exc.IntegrityError as error:
            raise MacroStepError(f"{name} was written by somebody else at this moment: look at theirs first") from error
        number = life.versions[-1].number
        return self._on_version(macro, number, lambda life: life.check(number, by, verdict))

    def check(self, macro_id: str, locale: str, number: int, by: str) -> MacroVersion:
        """Check a version by the rules in force: it is `checked` when nothing blocks, else a draft (again)."""
        version = self.version(macro_id, locale, number)
        verdict = judge(version.macro, self._sentences)
        return self._on_version(version.macro, number, lambda life: life.check(number, by, verdict))

    def approve(self, macro_id: str, locale: str, number: int, by: str) -> MacroVersion:
        """Approve a checked version, as another person than its author."""
        version = self.version(macro_id, locale, number)
        return self._on_version(version.macro, number, lambda life: life.approve(number, by))

    def lock(self, macro_id: str, locale: str, number: int, by: str) -> MacroVersion:
        """Let an approved version serve; the one that served gives way."""
        version = self.version(macro_id, locale, number)
        rules = rules_for(version.macro)
        return self._on_version(version.macro, number, lambda life: life.lock(number, by, rules))

    def retire(self, macro_id: str, locale: str, by: str, why: str = "") -> MacroVersion:
        """Take a macro out of service, with any version in work."""
        version = self.version(macro_id, locale)
        return self._on_version(version.macro, version.life.number, lambda life: life.retire(by, why.strip()))

    def _on_version(self, macro: Macro, number: int, step: Callable[[MacroLife], tuple[Event, ...]]) -> MacroVersion:
        self._step(macro, step)
        return self.version(macro.id, macro.locale, number)

    def _step(self, macro: Macro, step: Callable[[MacroLife], tuple[Event, ...]]) -> MacroLife:
        with self._held(macro) as (session, life):
            return record(session, life, macro, step(life), datetime.now(UTC))

    @contextmanager
    def _held(self, macro: Macro) -> Iterator[tuple[Session, MacroLife]]:
        """The macro's life as the audit log tells it, held against other writers until the block ends."""
        with self.database.session() as session:
            # every macro keeps its first version, so that row stands for the macro
            first = _of(sa.select(macro_versions.c.version), macro.id, macro.locale, macro_versions)
            session.execute(first.limit(1).with_for_update()).first()
            yield session, life_of(called(macro.id, macro.locale), _changes(session, macro.id, macro.locale))

    def _sound(self, macro: Macro) -> None:
        found = [Mistake(field, text) for field, text in place_mistakes(macro.fields, self._taxonomy)]
        found += macro_mistakes(macro.fields, macro.body, self.vocabulary)
        mistakes = [f"{m.field}: {f'line {m.line}: ' if m.line else ''}{m.text}" for m in found]
        if len(macro.body) > LONGEST_BODY:
            mistakes.append(f"body: has {len(macro.body):,} characters; the limit is {LONGEST_BODY:,}")
        if mistakes:
            raise MacroContentError(called(macro.id, macro.locale), mistakes)

    def _usable(self, row: sa.Row[tuple[object, ...]]) -> Macro | None:
        try:
            macro = macro_from_row(row)
            self._sound(macro)
        except (ValidationError, MacroContentError) as error:
            log.error("%s does not serve: %s", called(row.macro_id, row.locale), error)
            return None
        return macro


def _of(
    query: sa.Select[tuple[object, ...]], macro_id: str, locale: str, table: sa.Table
) -> sa.Select[tuple[object, ...]]:
    """``query`` for one macro, oldest first."""
    order = table.c.seq if table is macro_events else table.c.version
    return query.where(table.c.macro_id == macro_id, table.c.locale == locale).order_by(order)


def _changes(session: Session, macro_id: str, locale: str) -> list[MacroChange]:
    rows = session.execute(_of(sa.select(macro_events), macro_id, locale, macro_events))
    return [change_from_row(row) for row in rows]
