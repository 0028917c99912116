from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.access.accounts import Accounts
from desk.inbox import TicketStateError
from desk.intake import customer_wrote
from desk.ledger import EventKind, Priority, UnknownTicketError
from desk.people import Colleague, People, UnknownColleagueError
from desk.presence import AT_TICKET_FOR, Doing, beat, leave
from desk.routing.rules import WorkingDay, load_routing
from desk.snoozing import Preset, SnoozeError, offers
from desk.teamwork import Box, CollisionError, Teamwork, check_unchanged, typical_whys

PEOPLE = People([Colleague("anna", "Anna Berg"), Colleague("ben.o", "Ben"), Colleague("cleo@shop.example", "Cleo")])
PARIS = WorkingDay(timezone="Europe/Paris")


@pytest.fixture
def together(database, tmp_path):
    path = tmp_path / "routing.yaml"
    path.write_text(
        "version: 1\nteams: [{id: first, name: First}, {id: senior, name: Senior}]\n"
        "members: [{name: anna, teams: [first], languages: [en]}]\n"
        "rules: [{id: rest, then: {team: first}}]\n",
        encoding="utf-8",
    )
    people = Accounts(database)
    people.add("ben", "agent", by="test", password="seven quiet herons", display_name="Ben Ode")
    return Teamwork(database, load_routing(path), ("Desk",))


@pytest.fixture
def ticket_id(desk, incoming):
    return desk.receive(incoming()).ticket_id


@pytest.mark.parametrize(
    ("text", "known", "unknown"),
    [
        ("@anna can you look? @Anna, @ANNA!", ("anna",), ()),
        ("(@ben.o), and @cleo@shop.example.", ("ben.o", "cleo@shop.example"), ()),
        ("@anna's and @anna-please", ("anna",), ()),
        ("write to anna@shop.example or me@anna", (), ()),
        ("@bob and @ana", (), ("bob", "ana")),
        ("@ alone, @@anna, @", (), ()),
        ("@ännä", (), ("ännä",)),
    ],
)
def test_names_after_an_at_sign_are_found_and_addresses_are_not(text, known, unknown):
    found = PEOPLE.mentioned(text)
    assert (found.known, found.unknown) == (known, unknown)


@given(st.text(alphabet="@anb.o-+_ ä'\n", max_size=60))
def test_any_text_can_be_searched_for_names(text):
    found = PEOPLE.mentioned(text)
    assert set(found.known) <= {"anna", "ben.o", "cleo@shop.example"}
    assert len(set(found.known)) == len(found.known)


def test_a_note_asks_each_person_once_and_names_whom_nobody_knows(desk, together, ticket_id):
    noted = together.note(ticket_id, "@anna @Ben @anna @bne what about the carrier?", "agent:ben")
    assert (noted.mentioned.known, noted.mentioned.unknown) == (("anna", "ben"), ("bne",))
    assert noted.state.mentioned == ("anna", "ben")
    assert [event.kind for event in desk.events(ticket_id)][1:] == [
        EventKind.NOTED,
        EventKind.MENTIONED,
        EventKind.MENTIONED,
    ]
    assert together.people().similar("bne") == ["ben"]
    [mention] = together.mentions("Anna")
    assert (mention.by, mention.ticket_id, mention.read_at) == ("ben", ticket_id, None)
    assert "the carrier" in mention.text


def test_mentions_are_read_by_whom_they_ask_and_only_by_them(together, ticket_id):
    for text in ("@anna one", "@anna two", "@ben three"):
        together.note(ticket_id, text, "agent:ben")
    newest, oldest = together.mentions("anna")
    assert newest.text == "@anna two"
    assert together.read_mentions("ben", [newest.id]) == 0
    assert together.read_mentions("anna", [newest.id]) == 1
    assert together.unread("anna") == 1
    assert [mention.id for mention in together.mentions("anna")] == [oldest.id, newest.id]
    assert [mention.id for mention in together.mentions("anna", unread=True)] == [oldest.id]
    assert together.read_mentions("anna") == 1
    assert (together.unread("anna"), together.unread("ben")) == (0, 1)


def test_a_ticket_is_given_to_a_colleague_only(together, desk, ticket_id):
    assert together.assign(ticket_id, "BEN", "agent:anna").assignee == "ben"
    assert together.assign(ticket_id, None, "agent:anna").assignee is None
    with pytest.raises(UnknownColleagueError, match=r"'bne'.*did you mean: ben"):
        together.assign(ticket_id, "bne", "agent:anna")
    with pytest.raises(UnknownTicketError):
        together.assign("T-NONE", "ben", "agent:anna")
    Accounts(desk.database).disable("ben", by="test")
    with pytest.raises(UnknownColleagueError):
        together.assign(ticket_id, "ben", "agent:anna")


def test_lists_show_what_is_mine_my_teams_nobodys_and_put_off(desk, together, incoming):
    ids = [desk.receive(incoming(str(n))).ticket_id for n in range(4)]
    together.assign(ids[0], "anna", "agent:ben")
    desk.record(ids[1], EventKind.ROUTED, actor="routing", data={"team": "first", "rule": "rest", "why": ""})
    together.snooze(ids[2], datetime.now(UTC) + timedelta(hours=5), "agent:anna")

    def shown(box, **more):
        found = desk.open_tickets(among=together.conditions(box, "Anna", **more))
        return sorted(ids.index(view.ticket.id) for view in found)

    assert {box: shown(box) for box in Box} == {
        Box.ALL: [0, 1, 3],
        Box.MINE: [0],
        Box.TEAM: [1],
        Box.UNASSIGNED: [1, 3],
        Box.SNOOZED: [2],
    }
    assert shown(Box.TEAM, teams=["senior"]) == []
    later = datetime.now(UTC) + timedelta(hours=6)
    assert shown(Box.SNOOZED, at=later) == []
    assert shown(Box.ALL, at=later) == [0, 1, 2, 3]


def test_a_ticket_that_is_put_off_comes_back_when_the_customer_writes_or_somebody_wants_it(desk, together, ticket_id):
    together.snooze(ticket_id, Preset.TOMORROW_MORNING, "agent:anna", "waits for the carrier")
    event = desk.events(ticket_id)[-1]
    assert (event.kind, event.data["why"]) == (EventKind.SNOOZED, "waits for the carrier")
    with desk.database.session() as session:
        assert customer_wrote(session, ticket_id, "?", source="m", message_id="1").snoozed_until is None
    with pytest.raises(TicketStateError, match="not put off"):
        together.wake(ticket_id, "agent:anna")
    together.snooze(ticket_id, datetime.now(UTC) + timedelta(days=1), "agent:anna")
    together.wake(ticket_id, "agent:anna")
    assert desk.open_tickets(among=together.conditions(Box.ALL, "anna"))


def test_a_moment_that_has_passed_and_a_closed_ticket_are_refused(desk, together, ticket_id):
    now = datetime.now(UTC)
    with pytest.raises(SnoozeError, match="has passed"):
        together.snooze(ticket_id, now - timedelta(seconds=1), "agent:anna")
    with pytest.raises(SnoozeError, match="more than a year"):
        together.snooze(ticket_id, now + timedelta(days=400), "agent:anna")
    desk.correct_tag(ticket_id, "other", "agent:anna")
    desk.resolve(ticket_id, "agent:anna")
    with pytest.raises(TicketStateError, match="nothing to put off"):
        together.snooze(ticket_id, Preset.TOMORROW_MORNING, "agent:anna")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # a Wednesday in Paris, two hours ahead of UTC in summer
        (
            "2026-07-01T08:00",
            {"later_today": "07-01T11:00", "tomorrow_morning": "07-02T07:00", "monday": "07-06T07:00"},
        ),
        (
            "2026-07-01T14:10",
            {"later_today": "07-01T15:00", "tomorrow_morning": "07-02T07:00", "monday": "07-06T07:00"},
        ),
        ("2026-07-01T14:31", {"tomorrow_morning": "07-02T07:00", "monday": "07-06T07:00"}),
        # late on Tuesday in UTC, Wednesday in Paris already
        (
            "2026-06-30T22:30",
            {"later_today": "07-01T01:30", "tomorrow_morning": "07-02T07:00", "monday": "07-06T07:00"},
        ),
        # a Sunday: tomorrow is Monday
        ("2026-07-05T08:00", {"later_today": "07-05T11:00", "tomorrow_morning": "07-06T07:00"}),
        # a Monday: the next one
        ("2026-07-06T15:30", {"tomorrow_morning": "07-07T07:00", "monday": "07-13T07:00"}),
        # summer time ends in the night to the 25th
        (
            "2026-10-24T08:00",
            {"later_today": "10-24T11:00", "tomorrow_morning": "10-25T08:00", "monday": "10-26T08:00"},
        ),
    ],
)
def test_presets_mean_the_desks_own_morning(now, expected):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = {str(offer.preset): offer.until.strftime("%m-%dT%H:%M") for offer in offers(at, PARIS)}
    assert found == expected


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC)))
def test_every_offer_lies_ahead_in_order_and_mornings_begin_when_the_desk_does(now):
    found = offers(now, PARIS)
    assert all(offer.until > now for offer in found)
    assert [offer.until for offer in found] == sorted(offer.until for offer in found)
    mornings = [offer.until.astimezone(PARIS.zone) for offer in found if offer.preset is not Preset.LATER_TODAY]
    assert {(at.hour, at.minute) for at in mornings} == {(9, 0)}
    assert all(at.date() > date.min for at in mornings)
    assert len({at.date() for at in mornings}) == len(mornings)


def test_priorities_are_events_with_why(desk, together, ticket_id):
    assert together.set_priority(ticket_id, Priority.URGENT, "agent:anna", "a child").priority is Priority.URGENT
    assert desk.events(ticket_id)[-1].data == {"priority": "urgent", "why": "a child"}


def test_colleagues_see_who_is_at_a_ticket_until_they_leave_or_fall_silent(database, ticket_id):
    now = datetime.now(UTC)
    assert beat(database, "anna", ticket_id, Doing.REPLYING, at=now) == []
    [anna] = beat(database, "ben", ticket_id, at=now + timedelta(seconds=10))
    assert (anna.agent, anna.doing) == ("anna", Doing.REPLYING)
    [ben] = beat(database, "anna", ticket_id, at=now + timedelta(seconds=20))
    assert (ben.agent, ben.doing) == ("ben", Doing.VIEWING)
    leave(database, "anna", ticket_id)
    assert beat(database, "ben", ticket_id, at=now + timedelta(seconds=21)) == []
    assert beat(database, "anna", ticket_id, at=now + timedelta(seconds=22) + AT_TICKET_FOR) == []
    with pytest.raises(UnknownTicketError, match="T-NONE"):
        beat(database, "anna", "T-NONE")


def test_an_answer_collides_with_what_others_said_since_and_not_with_ones_own(desk, ticket_id):
    def check(seq: int, actor: str = "agent:anna") -> None:
        with desk.database.session() as session:
            check_unchanged(session, ticket_id, seq, actor)

    seen = desk.events(ticket_id)[-1].seq
    desk.suggest(ticket_id, [], [], "agent:ben")
    Teamwork(desk.database).note(ticket_id, "hm", "agent:ben")
    desk.reply(ticket_id, "mine", "agent:anna")
    check(seen)
    desk.reply(ticket_id, "It comes tomorrow.", "agent:ben")
    with pytest.raises(CollisionError, match=r"ben replied at \d\d:\d\d UTC, after this page was loaded") as error:
        check(seen)
    assert [event.data["text"] for event in error.value.events] == ["It comes tomorrow."]
    check(desk.events(ticket_id)[-1].seq)
    with desk.database.session() as session:
        customer_wrote(session, ticket_id, "Hello?", source="m", message_id="2")
    with pytest.raises(CollisionError, match="the customer wrote again"):
        check(error.value.events[-1].seq)


def test_there_are_typical_whys_for_a_corrected_reason():
    assert 3 <= len(typical_whys()) <= 9
    assert len(set(typical_whys())) == len(typical_whys())
