"""A macro's life in one language: draft, checked, approved, locked, retired; every version and who did what.

The words of a version never change: an edit makes the next version, and the locked one serves until that is locked.
Functions that decide give the events that follow; `MacroLife.after` applies them; neither touches a database.

MacroStepError   the step does not fit; the message says what to do
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kb.macro_verdict import RulesVersion, Verdict
from kb.macros import MacroStatus, same_person

PROGRAM = "paretodesk"
"""Who acts when the program itself does: it takes in content files. No person may use the name."""
STARTER_AUTHOR = "paretodesk starter"
LONGEST_NAME = 100


class MacroStepError(ValueError):
    """A step that does not fit the macro's life; the message says why and what to do."""


@dataclass(frozen=True)
class MacroEvent:
    """Something that happened to a version, and who did it."""

    version: int
    by: str


@dataclass(frozen=True)
class Imported(MacroEvent):
    """A content file became a version, with the status, author and approver that the file states."""

    status: MacroStatus
    author: str
    approver: str | None
    file: str


@dataclass(frozen=True)
class Drafted(MacroEvent):
    """A person wrote a version."""


@dataclass(frozen=True)
class Checked(MacroEvent):
    """The policy check passed."""

    verdict: Verdict


@dataclass(frozen=True)
class Blocked(MacroEvent):
    """The policy check found a broken rule that blocks."""

    verdict: Verdict


@dataclass(frozen=True)
class Approved(MacroEvent):
    """Another person than the author approved the words."""


@dataclass(frozen=True)
class Locked(MacroEvent):
    """The version serves from now on."""


@dataclass(frozen=True)
class Superseded(MacroEvent):
    """A newer version took its place."""

    newer: int


@dataclass(frozen=True)
class Retired(MacroEvent):
    """It is no longer said or worked on."""

    why: str


Event = Imported | Drafted | Checked | Blocked | Approved | Locked | Superseded | Retired

OPEN = frozenset({MacroStatus.DRAFT, MacroStatus.CHECKED, MacroStatus.APPROVED})


@dataclass(frozen=True)
class VersionLife:
    """One version: where it is, who wrote and approved it, and which rules its words last passed."""

    number: int
    status: MacroStatus
    author: str
    approver: str | None = None
    passed: tuple[RulesVersion, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it is on its way to being locked."""
        return self.status in OPEN


@dataclass(frozen=True)
class MacroLife:
    """All versions of one macro in one language, oldest first. The empty life is that of a macro not yet written."""

    name: str
    """How the macro is called in messages, such as ``tracking-update (fr)``."""
    versions: tuple[VersionLife, ...] = ()

    @property
    def newest(self) -> VersionLife | None:
        """The version written last."""
        return self.versions[-1] if self.versions else None

    @property
    def serving(self) -> VersionLife | None:
        """The locked version."""
        return next((version for version in self.versions if version.status is MacroStatus.LOCKED), None)

    @property
    def in_work(self) -> VersionLife | None:
        """The version on its way to being locked."""
        return next((version for version in self.versions if version.open), None)

    def version(self, number: int) -> VersionLife:
        """One version. Raises `MacroStepError` where there is none of that number."""
        for version in self.versions:
            if version.number == number:
                return version
        has = ", ".join(str(version.number) for version in self.versions) or "none"
        raise MacroStepError(f"{self.name} has no version {number}; its versions: {has}")

    # -- what a person may do ------------------------------------------------------------------------------

    def write(self, by: str, based_on: int | None) -> tuple[Event, ...]:
        """The next version, written over ``based_on``, the newest one (None: a macro that is new).

        A version in work gives way to it; a locked one goes on serving.
        """
        by = person(by)
        newest = self.newest.number if self.newest else None
        if based_on is None and newest is not None:
            raise MacroStepError(f"{self.name} is there already, at version {newest}: edit it instead")
        if based_on != newest:
            raise MacroStepError(
                f"{self.name} is at version {newest or 'none'} by now and the edit was made on version {based_on}: "
                "look at the newest and edit that"
            )
        number = (newest or 0) + 1
        return (*self._give_way(self.in_work, by, number), Drafted(number, by))

    def check(self, number: int, by: str, verdict: Verdict) -> tuple[Event, ...]:
        """Record what the rules say about a version's words."""
        by, version = person(by), self.version(number)
        if version.status is MacroStatus.RETIRED:
            raise MacroStepError(f"{self._called(version)} is retired, so it is not checked: edit it to start anew")
        return (Checked(number, by, verdict) if verdict.passed else Blocked(number, by, verdict),)

    def approve(self, number: int, by: str) -> tuple[Event, ...]:
        """Another person than the author says that these words may be said."""
        by, version = person(by), self.version(number)
        called = self._called(version)
        match version.status:
            case MacroStatus.DRAFT:
                raise MacroStepError(f"{called} has not passed the policy check: mend what it says and check it again")
            case MacroStatus.APPROVED:
                raise MacroStepError(f"{called} was approved by {version.approver} already: lock it to let it serve")
            case MacroStatus.LOCKED:
                raise MacroStepError(f"{called} is locked and serves already; nothing is left to approve")
            case MacroStatus.RETIRED:
                raise MacroStepError(f"{called} is retired: edit the macro to make a new version")
        if same_person(by, version.author):
            raise MacroStepError(f"{called} was written by {version.author}: another person must approve it")
        return (Approved(number, by),)

    def lock(self, number: int, by: str, rules: tuple[RulesVersion, ...]) -> tuple[Event, ...]:
        """Let an approved version serve. ``rules`` are those in force; having passed older ones is not enough."""
        by, version = person(by), self.version(number)
        called = self._called(version)
        match version.status:
            case MacroStatus.DRAFT:
                raise MacroStepError(f"{called} is a draft: it must pass the policy check and be approved first")
            case MacroStatus.CHECKED:
                raise MacroStepError(
                    f"{called} is checked but not approved: another person than {version.author} must approve it first"
                )
            case MacroStatus.LOCKED:
                raise MacroStepError(f"{called} is locked and serves already")
            case MacroStatus.RETIRED:
                raise MacroStepError(f"{called} is retired: edit the macro to make a new version")
        if set(rules) - set(version.passed):
            passed = ", ".join(map(str, version.passed)) or "no rules"
            raise MacroStepError(
                f"{called} passed {passed}; in force are {', '.join(map(str, rules))}: check it again, then lock it"
            )
        return (*self._give_way(self.serving, by, number), Locked(number, by))

    def retire(self, by: str, why: str) -> tuple[Event, ...]:
        """Take the macro out of service, with any version in work."""
        by = person(by)
        if not (live := self._live()):
            raise MacroStepError(f"{self.name} has nothing to retire: no version of it serves or is in work")
        return tuple(Retired(version.number, by, why) for version in live)

    # -- what the program does -----------------------------------------------------------------------------

    def take_in(self, status: MacroStatus, author: str, approver: str | None, file: str) -> tuple[Event, ...]:
        """A content file as the next version. One that is locked takes the place of the serving version."""
        number = (self.newest.number if self.newest else 0) + 1
        events: list[Event] = [*self._give_way(self.in_work, PROGRAM, number)]
        if status is MacroStatus.LOCKED:
            events += self._give_way(self.serving, PROGRAM, number)
        return (*events, Imported(number, PROGRAM, status, author, approver, file))

    def lose_file(self) -> tuple[Event, ...]:
        """The content file is gone or says that the macro is retired."""
        return tuple(
            Retired(version.number, PROGRAM, "its content file is gone or retired") for version in self._live()
        )

    # -- what follows --------------------------------------------------------------------------------------

    def after(self, events: Iterable[Event]) -> MacroLife:
        """The life after ``events``."""
        versions = {version.number: version for version in self.versions}
        for event in events:
            versions[event.version] = _changed(versions.get(event.version), event)
        return replace(self, versions=tuple(versions[number] for number in sorted(versions)))

    def _live(self) -> list[VersionLife]:
        return [version for version in self.versions if version.status is not MacroStatus.RETIRED]

    def _give_way(self, version: VersionLife | None, by: str, newer: int) -> tuple[Event, ...]:
        return (Superseded(version.number, by, newer),) if version else ()

    def _called(self, version: VersionLife) -> str:
        return f"{self.name} version {version.number}"


def person(name: str) -> str:
    """A person's name without needless blanks. Raises `MacroStepError` where it names nobody, or the program."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise MacroStepError(f"say who acts, with a name of 1 to {LONGEST_NAME} characters")
    if same_person(name, PROGRAM) or same_person(name, STARTER_AUTHOR):
        raise MacroStepError(f"'{name}' is the program's own name: give a person's")
    return name


def _changed(version: VersionLife | None, event: Event) -> VersionLife:
    if isinstance(event, Imported):
        return VersionLife(event.version, event.status, event.author, event.approver)
    if isinstance(event, Drafted):
        return VersionLife(event.version, MacroStatus.DRAFT, event.by)
    if version is None:
        raise MacroStepError(f"version {event.version} was never written, yet something happened to it")
    match event:
        case Checked():
            status = MacroStatus.CHECKED if version.status is MacroStatus.DRAFT else version.status
            return replace(version, status=status, passed=event.verdict.rules)
        case Blocked():
            # What serves is checked again whenever it is said; what does not serve yet starts over.
            if version.status is MacroStatus.LOCKED:
                return replace(version, passed=())
            return replace(version, status=MacroStatus.DRAFT, approver=None, passed=())
        case Approved():
            return replace(version, status=MacroStatus.APPROVED, approver=event.by)
        case Locked():
            return replace(version, status=MacroStatus.LOCKED)
        case Superseded() | Retired():
            return replace(version, status=MacroStatus.RETIRED)
