"""When a ticket that is put off comes back: 'later today', 'tomorrow morning', 'Monday' in the desk's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from desk import DeskError
from desk.routing.rules import WorkingDay

LATER = timedelta(hours=3)
"""What 'later today' means, or the last hour of the day where that comes sooner."""
LEAST_LATER = timedelta(minutes=30)
LAST_HOUR = timedelta(hours=1)
LONGEST = timedelta(days=365)
MONDAY = 0


class SnoozeError(DeskError):
    """A ticket cannot be put off until then."""


class Preset(StrEnum):
    """A moment that people name."""

    LATER_TODAY = "later_today"
    TOMORROW_MORNING = "tomorrow_morning"
    MONDAY = "monday"


@dataclass(frozen=True, slots=True)
class Offer:
    """A preset, and which moment it means now (UTC)."""

    preset: Preset
    until: datetime


def offers(now: datetime, day: WorkingDay) -> list[Offer]:
    """What may be chosen now, soonest first: 'later today' only while the working day leaves half an hour for it."""
    here = now.astimezone(day.zone)
    found = []
    closing = _at(here, day.ends, day)
    later = min(now.astimezone(UTC) + LATER, closing - LAST_HOUR)
    if later - now >= LEAST_LATER:
        found.append(Offer(Preset.LATER_TODAY, later.replace(second=0, microsecond=0)))
    found.append(Offer(Preset.TOMORROW_MORNING, _at(here + timedelta(days=1), day.starts, day)))
    # on a Sunday tomorrow is Monday; the next one is a week away and nobody means it
    to_monday = (MONDAY - here.weekday()) % 7 or 7
    if to_monday > 1:
        found.append(Offer(Preset.MONDAY, _at(here + timedelta(days=to_monday), day.starts, day)))
    return found


def moment_of(preset: Preset, now: datetime, day: WorkingDay) -> datetime:
    """Which moment a preset means now, UTC. Raises `SnoozeError` when it means none."""
    found = {offer.preset: offer.until for offer in offers(now, day)}
    if preset in found:
        return found[preset]
    if preset is Preset.MONDAY:
        return found[Preset.TOMORROW_MORNING]
    raise SnoozeError(f"until: today has no later any more (the day ends at {day.ends:%H:%M}); take tomorrow morning")


def check_until(until: datetime, now: datetime) -> None:
    """Raises `SnoozeError` unless ``until`` lies ahead, and within a year."""
    if until <= now:
        raise SnoozeError(f"until: {until.isoformat()} has passed; choose a moment that lies ahead")
    if until - now > LONGEST:
        raise SnoozeError(f"until: {until.isoformat()} is more than a year ahead; close the ticket, or choose sooner")


def _at(day_of: datetime, at: time, day: WorkingDay) -> datetime:
    """Wall-clock time ``at`` on the day of ``day_of``. Across a change of summer time the wall clock counts."""
    return datetime.combine(day_of.date(), at, day.zone).astimezone(UTC)
