"""By when a customer who is handed over may expect an answer, and how that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from babel.dates import format_datetime

from bot.wording import LocaleWording
from desk.sla import ClockKind, Policies

CHANNEL = "chat"


@dataclass(frozen=True)
class AnswerBy:
    """A moment, in the time zone of the desk that answers (UTC where it is open around the clock)."""

    moment: datetime

    def words(self, words: LocaleWording, locale: str) -> dict[str, str]:
        """``day`` and ``time`` as the language writes them, the time with its distance from UTC."""
        return {
            "day": format_datetime(self.moment, words.answer_day, locale=locale),
            "time": f"{self.moment:%H:%M} ({_from_utc(self.moment)})",
        }


class Expectation:
    """Asks the service levels; see `desk.sla`."""

    def __init__(self, policies: Policies, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._policies, self._now = policies, now

    def answer_by(self, reason: str | None) -> AnswerBy:
        """When somebody who writes now about ``reason`` (None: not decided) is owed the first answer."""
        now = self._now()
        due = self._policies.expected_answer(now, None, reason, CHANNEL)
        subject = replace(self._policies.subject(None, CHANNEL), reason=reason)
        found = self._policies.match(ClockKind.FIRST_RESPONSE, subject, now)
        zone: tzinfo = getattr(found.calendar, "zone", UTC) if found else UTC
        return AnswerBy(due.astimezone(zone))


def _from_utc(moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return "UTC" + (f"{sign}{hours}" if minutes else "") + (f":{rest:02d}" if rest else "")
