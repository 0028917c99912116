"""Macro versions and their events as rows, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from desk.tables import macro_events, macro_versions
from kb.macro_life import (
    Approved,
    Blocked,
    Checked,
    Drafted,
    Event,
    Imported,
    Locked,
    MacroLife,
    Retired,
    Superseded,
    VersionLife,
)
from kb.macro_verdict import RulesVersion, Verdict
from kb.macros import Macro, MacroFields, MacroStatus

KINDS: Mapping[str, type[Event]] = {
    "imported": Imported,
    "drafted": Drafted,
    "checked": Checked,
    "blocked": Blocked,
    "approved": Approved,
    "locked": Locked,
    "superseded": Superseded,
    "retired": Retired,
}
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a row raises that another version of paretodesk wrote."""
_NAMES = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True)
class MacroChange:
    """One line of the audit log: who did what to which version when, from which status to which.

    ``rules`` are the policy rules that the version's words had passed when the change was made.
    """

    macro_id: str
    locale: str
    version: int
    kind: str
    at: datetime
    actor: str
    status_from: str | None
    status_to: str
    rules: tuple[RulesVersion, ...]
    data: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        return {
            "version": self.version,
            "what": self.kind,
            "who": self.actor,
            "when": self.at.isoformat(),
            "from": self.status_from,
            "to": self.status_to,
            "rules": [{"rules": found.rules, "version": found.version} for found in self.rules],
            "data": dict(self.data),
        }


@dataclass(frozen=True)
class MacroVersion:
    """A stored version: its words, where it is in its life, and what the rules last said about it."""

    macro: Macro
    life: VersionLife
    written_at: datetime
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data with stable keys."""
        fields = self.macro.fields
        return {
            "id": fields.id,
            "locale": fields.locale,
            "version": self.life.number,
            "status": self.life.status.value,
            "author": self.life.author,
            "approver": self.life.approver,
            "written_at": self.written_at.isoformat(),
            "reason": fields.reason,
            "title": fields.title,
            "marketplace": list(fields.marketplace),
            "kind": fields.kind.value,
            "when": {name: list(values) for name, values in fields.when.items()},
            "body": self.macro.body,
            "facts": list(self.macro.facts),
            "check": self.verdict.to_json() if self.verdict else None,
        }


def called(macro_id: str, locale: str) -> str:
    """How a macro is named in messages."""
    return f"macro {macro_id} ({locale})"


def version_row(macro: Macro, life: VersionLife, at: datetime) -> dict[str, Any]:
    """The row of `desk.tables.macro_versions` for a new version."""
    fields = macro.fields
    return {
        "macro_id": fields.id,
        "locale": fields.locale,
        "version": life.number,
        "reason": fields.reason,
        "title": fields.title,
        "marketplace": list(fields.marketplace),
        "kind": fields.kind.value,
        "conditions": {name: list(values) for name, values in fields.when.items()},
        "body": macro.body,
        "author": life.author,
        "written_at": at,
        **standing(life),
    }


def standing(life: VersionLife) -> dict[str, Any]:
    """The columns of a version that change in its life."""
    passed = [{"rules": found.rules, "version": found.version} for found in life.passed]
    return {"status": life.status.value, "approver": life.approver, "passed": passed}


def life_from_row(row: sa.Row[Any]) -> VersionLife:
    """Where the version in a row is in its life."""
    return VersionLife(row.version, MacroStatus(row.status), row.author, row.approver, _rules(row.passed))


def macro_from_row(row: sa.Row[Any]) -> Macro:
    """The macro in a row. Raises pydantic's `ValidationError` when it does not fit this version's schema."""
    fields = MacroFields.model_validate(
        {
            "id": row.macro_id,
            "locale": row.locale,
            "reason": row.reason,
            "title": row.title,
            "marketplace": row.marketplace,
            "version": row.version,
            "kind": row.kind,
            "status": row.status,
            "author": row.author,
            "approver": row.approver,
            "when": row.conditions,
        }
    )
    return Macro(fields, row.body, Path("macros", row.locale, f"{row.macro_id}.v{row.version}"), 1)


def same_words(macro: Macro, other: Macro) -> bool:
    """Whether two macros say the same under the same conditions, whatever their versions and people."""
    one, two = (m.fields.model_dump(exclude={"version", "status", "author", "approver"}) for m in (macro, other))
    return one == two and macro.body == other.body


def record(session: Session, life: MacroLife, macro: Macro, events: Sequence[Event], at: datetime) -> MacroLife:
    """Write ``events`` and what follows from them; ``macro`` has the words of a version that they begin."""
    key = {"macro_id": macro.id, "locale": macro.locale}
    for event in events:
        before = next((version for version in life.versions if version.number == event.version), None)
        life = life.after([event])
        now = life.version(event.version)
        if before is None:
            session.execute(macro_versions.insert().values(version_row(macro, now, at)))
        else:
            of_version = (
                macro_versions.c.macro_id == macro.id,
                macro_versions.c.locale == macro.locale,
                macro_versions.c.version == event.version,
            )
            session.execute(macro_versions.update().where(*of_version).values(standing(now)))
        session.execute(
            macro_events.insert().values(
                **key,
                version=event.version,
                kind=_NAMES[type(event)],
                at=at,
                actor=event.by,
                status_from=before.status.value if before else None,
                status_to=now.status.value,
                data={"rules": standing(now)["passed"], **_data(event)},
            )
        )
    return life


def life_of(name: str, changes: Iterable[MacroChange]) -> MacroLife:
    """The life that the audit log alone tells."""
    return MacroLife(name).after(map(_event, changes))


def change_from_row(row: sa.Row[Any]) -> MacroChange:
    """A line of the audit log."""
    data = {name: value for name, value in row.data.items() if name != "rules"}
    return MacroChange(
        row.macro_id, row.locale, row.version, row.kind, row.at, row.actor, row.status_from, row.status_to,
        _rules(row.data["rules"]), data,
    )  # fmt: skip


def verdicts_of(changes: Iterable[MacroChange]) -> dict[int, Verdict]:
    """What the rules last said about each version."""
    return {change.version: Verdict.from_json(change.data["verdict"]) for change in changes if "verdict" in change.data}


def _rules(stored: Iterable[Mapping[str, Any]]) -> tuple[RulesVersion, ...]:
    return tuple(RulesVersion(found["rules"], found["version"]) for found in stored)


def _data(event: Event) -> dict[str, Any]:
    match event:
        case Imported():
            stated = {"author": event.author, "approver": event.approver, "file": event.file}
            return {"status": event.status.value, **stated}
        case Checked() | Blocked():
            return {"verdict": event.verdict.to_json()}
        case Superseded():
            return {"newer": event.newer}
        case Retired():
            return {"why": event.why}
        case Drafted() | Approved() | Locked():
            return {}


def _event(change: MacroChange) -> Event:
    data = dict(change.data)
    if "verdict" in data:
        data["verdict"] = Verdict.from_json(data["verdict"])
    if "status" in data:
        data["status"] = MacroStatus(data["status"])
    return KINDS[change.kind](change.version, change.actor, **data)
