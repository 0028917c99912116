from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.sla.calendar import DAY, AlwaysOpen, BusinessHours, Opening, moment_of
from desk.sla.durations import DurationError, duration, in_words

ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe")
H = timedelta(hours=1)


def opened(zone: str, days: str, hours: str, country: str | None = None, subdivision: str | None = None, **more):
    openings = tuple(Opening.parse(text) for text in hours.split())
    numbers = [["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(day) for day in days.split()]
    return BusinessHours(ZoneInfo(zone), dict.fromkeys(numbers, openings), country, subdivision, **more)


WEEK = "mon tue wed thu fri"
OFFICE = opened("Europe/Paris", WEEK, "09:00-18:00", "FR")
NIGHTS = opened("America/New_York", WEEK + " sat sun", "22:00-06:00")
PARIS_NIGHTS = opened("Europe/Paris", WEEK + " sat sun", "22:00-06:00", "FR")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Every expected time was written by hand from a wall calendar.
@pytest.mark.parametrize(
    ("calendar", "start", "hours", "due"),
    [
        # Friday 17:00 in Paris: one hour before the weekend, one on Monday
        (OFFICE, "2026-07-10 15:00", 2, "2026-07-13 08:00"),
        # Monday 17:00 before the 14th of July: the second hour is on Wednesday
        (OFFICE, "2026-07-13 15:00", 2, "2026-07-15 08:00"),
        # Saturday noon: half an hour after opening on Monday
        (OFFICE, "2026-07-11 10:00", 0.5, "2026-07-13 07:30"),
        # a whole day ends when it closes, not when the next one opens
        (OFFICE, "2026-07-01 07:00", 9, "2026-07-01 16:00"),
        # New Year's Eve 17:30; the 1st of January is a holiday, then comes a weekend
        (OFFICE, "2026-12-31 16:30", 1, "2027-01-04 08:30"),
        # over the weekends of both changes of summer time: 10:00 in Paris each time
        (OFFICE, "2026-03-27 16:00", 2, "2026-03-30 08:00"),
        (OFFICE, "2026-10-23 15:00", 2, "2026-10-26 09:00"),
        # the night of the 8th of March has 7 hours in New York, that of the 1st of November 9
        (NIGHTS, "2026-03-08 03:00", 7, "2026-03-08 10:00"),
        (NIGHTS, "2026-03-08 03:00", 7.5, "2026-03-09 02:30"),
        (NIGHTS, "2026-11-01 02:00", 9, "2026-11-01 11:00"),
        # Tuesday the 14th at 5:00: the night that began on Monday ends at 6:00, none begins on the holiday
        (PARIS_NIGHTS, "2026-07-14 03:00", 2, "2026-07-15 21:00"),
        # summer time is half an hour on Lord Howe
        (opened("Australia/Lord_Howe", "sun", "00:00-04:00"), "2026-10-03 13:30", 3.5, "2026-10-03 17:00"),
        (opened("Australia/Lord_Howe", "sun", "00:00-04:00"), "2026-04-04 13:00", 4.5, "2026-04-04 17:30"),
        # 02:30 does not exist on the 29th of March: it opens at the change; in October the first 02:30 counts
        (opened("Europe/Paris", "sun", "02:30-05:00"), "2026-03-28 12:00", 2, "2026-03-29 03:00"),
        (opened("Europe/Paris", "sun", "02:30-05:00"), "2026-10-25 00:30", 3.5, "2026-10-25 04:00"),
        # Corpus Christi is a holiday in Bavaria, not in Berlin
        (opened("Europe/Berlin", WEEK, "09:00-18:00", "DE", "BY"), "2026-06-03 15:00", 2, "2026-06-05 08:00"),
        (opened("Europe/Berlin", WEEK, "09:00-18:00", "DE", "BE"), "2026-06-03 15:00", 2, "2026-06-04 08:00"),
        # a day stated as closed
        (opened("UTC", WEEK, "09:00-17:00", closed=[date(2026, 7, 2)]), "2026-07-01 16:00", 2, "2026-07-03 10:00"),
        # around the clock nothing counts but the time itself
        (AlwaysOpen(), "2026-10-24 12:00", 24, "2026-10-25 12:00"),
    ],
)
def test_due_times_written_by_hand(calendar, start, hours, due):
    assert calendar.add(utc(start), hours * H) == utc(due)
    assert calendar.between(utc(start), utc(due)) == hours * H


def test_two_openings_that_a_change_of_time_pushes_together_are_not_counted_twice():
    calendar = opened("Europe/Paris", "sun", "02:00-02:45 03:00-04:00")
    assert calendar.between(utc("2026-03-29 00:00"), utc("2026-03-29 12:00")) == H  # 02:00 to 02:45 never happened
    skipped = moment_of(datetime(2026, 3, 29, 2, 30), ZoneInfo("Europe/Paris"))
    assert skipped == moment_of(datetime(2026, 3, 29, 3, 0), ZoneInfo("Europe/Paris")) == utc("2026-03-29 01:00")


def test_a_day_that_a_zone_left_out_has_no_hours():
    calendar = opened("Pacific/Apia", WEEK + " sat sun", "00:00-24:00")  # Samoa skipped the 30th of December 2011
    assert calendar.between(utc("2011-12-29 10:00"), utc("2012-01-01 10:00")) == 72 * H


@pytest.mark.parametrize(
    ("days", "hours", "said"),
    [
        ("mon", "09:00-12:00 11:00-15:00", "overlap on mon"),
        ("mon tue", "22:00-06:00 05:00-08:00", "overlap on"),
        ("sun mon", "20:00-04:00 02:00-03:00", "overlap on"),
        ("", "09:00-12:00", "never run"),
    ],
)
def test_hours_that_make_no_sense_are_refused(days, hours, said):
    with pytest.raises(ValueError, match=said):
        opened("UTC", days, hours)


@pytest.mark.parametrize("text", ["9-18", "09:00", "09:00-09:00", "25:00-26:00", "09:60-10:00", "24:00-06:00", ""])
def test_an_opening_that_cannot_be_read_says_how_to_write_one(text):
    with pytest.raises(ValueError, match=r"00:00-24:00"):
        Opening.parse(text)


edges = st.sampled_from([0, 4, 5, 8, 9, 12, 13, 18, 22])  # no edge within the hours that change


@st.composite
def openings(draw):
    points = sorted(draw(st.sets(edges, min_size=2, max_size=4)))
    pairs = [Opening(a * H, b * H) for a, b in zip(points[::2], points[1::2], strict=False)]
    if draw(st.booleans()):
        pairs[-1] = Opening(pairs[-1].opens, DAY + min(points[0], 4) * H)  # across midnight, up to the next opening
    return tuple(pairs)


@st.composite
def calendars(draw):
    hours = draw(openings())
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    zone, country = draw(st.sampled_from(ZONES)), draw(st.sampled_from([None, "FR", "US"]))
    return BusinessHours(ZoneInfo(zone), dict.fromkeys(days, hours), country)


moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
# the weeks of both changes, where mistakes would hide
near_changes = st.sampled_from([(3, 6), (3, 27), (4, 3), (10, 2), (10, 23), (10, 30)]).flatmap(
    lambda day: st.integers(0, 4 * 86_400).map(lambda s: datetime(2026, *day, tzinfo=UTC) + timedelta(seconds=s))
)
starts = moments | near_changes
amounts = st.timedeltas(timedelta(0), timedelta(hours=200))


@settings(max_examples=150, deadline=None)
@given(calendars(), starts, amounts, amounts)
def test_adding_and_measuring_undo_each_other(calendar, start, amount, more):
    due = calendar.add(start, amount)
    assert calendar.between(start, due) == amount
    if amount:
        assert calendar.between(start, due - timedelta(microseconds=1)) < amount  # it is the first such moment
    if more:
        assert calendar.add(due, more) == calendar.add(start, amount + more)


@settings(max_examples=100, deadline=None)
@given(calendars(), starts, starts, starts, amounts)
def test_time_is_monotonic_and_adds_up(calendar, one, two, three, amount):
    a, b, c = sorted((one, two, three))
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)
    assert calendar.add(a, amount) <= calendar.add(b, amount) <= calendar.add(b, amount + H)
    assert calendar.between(c, a) == timedelta(0)
    assert calendar.between(a, b) <= b - a


@settings(max_examples=40, deadline=None)
@given(calendars(), near_changes, st.integers(1, 60))
def test_open_time_is_what_a_look_at_the_wall_clock_every_half_hour_counts(calendar, start, hours):
    start = start.replace(minute=0, second=0)
    zone, seen = calendar.zone, 0
    for half in range(2 * hours):
        wall = (start + half * H / 2).astimezone(zone).replace(tzinfo=None)
        for day in (wall.date(), wall.date() - DAY):
            since = wall - datetime.combine(day, datetime.min.time())
            shifts = () if calendar.is_holiday(day) else calendar._hours.get(day.weekday(), ())
            seen += any(shift.opens <= since < shift.closes for shift in shifts)
    assert calendar.between(start, start + hours * H) == seen * H / 2


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("24 h", 24),
        ("90 min", 1.5),
        ("1.5 hours", 1.5),
        ("7 days", 168),
        ("2 business days", 48),
        ("2d", 48),
        ("1H", 1),
    ],
)
def test_lengths_of_time_are_read_as_people_write_them(text, hours):
    assert duration(text).length == hours * H


@pytest.mark.parametrize(
    "text", ["", "h", "0 h", "-3 h", "24", "1e3 h", "99999 days", "soon", "١ h", None, 24, "1 h 5 min"]
)
def test_what_is_no_length_of_time_says_how_to_write_one(text):
    with pytest.raises(DurationError, match="24 h"):
        duration(text)


def test_lengths_are_told_in_words():
    told = [in_words(s) for s in (0, 59, -35 * 60, 7_800, 3_600, 183_600, 172_800)]
    assert in_words(27 * 3_600, days=False) == "27 h"
    assert told == ["0 min", "0 min", "35 min", "2 h 10 min", "1 h", "2 d 3 h", "2 d"]
