from datetime import timedelta

import pytest

from classifier.datafile import DataFileError
from desk.routing.conditions import Money, Subject
from desk.routing.rules import STARTER_RULES, load_routing, starter_routing
from desk.ticket_state import Priority

SMALL = """\
version: 1
teams:
  - {id: desk, name: The desk}
members:
  - {name: anna, teams: [desk], languages: [de]}
rules:
  - id: dear
    when: {order_value: [{at_least: 150 EUR}, {at_least: 130 GBP}]}
    then: {priority: high}
  - id: rest
    then: {team: desk, assign: round_robin}
"""


DEAR = "order_value: [{at_least: 150 EUR}, {at_least: 130 GBP}]"


@pytest.fixture
def written(tmp_path):
    def write(*changes: tuple[str, str]):
        text = SMALL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "routing.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("subject", "team", "priority"),
    [
        (Subject(reason="safety_or_counterfeit", language="de"), "senior", Priority.URGENT),
        (Subject(reason="return_request", guard=("safety.injury.en",)), "senior", Priority.URGENT),
        (Subject(reason="return_request", further_reason=("safety_or_counterfeit",)), "senior", Priority.URGENT),
        (Subject(reason="a_to_z_claim", language="fr"), "senior", Priority.HIGH),
        (Subject(reason="other", guard=("legal.lawyer.es",), language="es"), "senior", Priority.HIGH),
        (Subject(reason="tracking_update", language="de"), "german", None),
        (Subject(reason="tracking_update", language="it", urgency="critical"), "italian", Priority.HIGH),
        (Subject(reason="tracking_update", sla_left=timedelta(minutes=-5)), "first_line", Priority.HIGH),
        (Subject(reason="tracking_update", sla_left=timedelta(hours=3)), "first_line", None),
        (Subject(reason="thanks", autonomy="auto_close", decision="tagged"), "first_line", Priority.LOW),
        (Subject(reason="thanks", autonomy="auto_close"), "first_line", None),
        (Subject(), "first_line", None),
    ],
)
def test_the_shipped_rules_send_each_ticket_to_its_desk(subject, team, priority):
    decided = starter_routing().decide(subject)
    assert (decided.team, decided.priority) == (team, priority)


def test_the_first_rule_counts_for_each_action_by_itself_and_says_why():
    decided = starter_routing().decide(Subject(reason="other", urgency="critical", language="fr"))
    assert {action: rule.id for action, rule in decided.by.items()} == {
        "priority": "critical-words",
        "team": "french",
        "assign": "french",
    }
    assert decided.why("team", "priority") == "critical-words: urgency is critical; french: language is fr"
    told = {fit.rule.id: fit for fit in decided.fits}
    assert told["safety"].why == "reason is other, not safety_or_counterfeit"
    assert (told["everybody-else"].matched, told["everybody-else"].decides) == (True, ())


@pytest.mark.parametrize(
    ("value", "priority"),
    [("150 EUR", "high"), ("149.99 EUR", None), ("130 GBP", "high"), ("9000 JPY", None), (None, None)],
)
def test_values_are_compared_within_their_own_currency(written, value, priority):
    routing = load_routing(written())
    assert routing.uses("order_value")
    assert routing.decide(Subject(order_value=Money.parse(value) if value else None)).priority == priority


@pytest.mark.parametrize(
    ("changes", "line", "said"),
    [
        ((("teams: [desk], languages", "teams: [dsk], languages"),), 5, "members.anna.teams: unknown dsk; known: desk"),
        ((("{team: desk,", "{team: dsk,"),), 10, "rules.rest.then.team: unknown dsk; known: desk"),
        (((DEAR, "reason: [parcels]"),), 7, "unknown parcels"),
        (((DEAR, "marketplace: [amzon]"),), 7, "unknown amzon"),
        (((DEAR, "weather: [rain]"),), 8, "Extra inputs"),
        (((DEAR, "order_value: [{at_least: 150}]"),), 8, "150 EUR"),
        (((DEAR, "confidence: {at_least: 0.9, below: 0.1}"),), 8,
         "nothing lies between"),
        (((DEAR, "sla_left: {below: soon}"),), 8, "no duration"),
        ((("{team: desk, assign: round_robin}", "{priority: low}"),), 10, "must state a team without 'when'"),
        ((("{priority: high}", "{seniority: senior, priority: high}"),), 9, "state assign, too"),
        ((("{priority: high}", "{}"),), 9, "state team, assign or priority"),
        ((("id: rest", "id: dear"),), 10, "dear: listed twice"),
        ((("dear\n    when: {" + DEAR + "}\n    then: {priority: high}", "all\n    then: {team: desk}"),
          ("{team: desk, assign: round_robin}", "{team: desk}")),
         9, "can never count, all holds for every ticket"),
        ((("version: 1", "version: 1\nworking_day: {timezone: Mars/Base}"),), 2, "unknown time zone"),
        ((("version: 1", 'version: 1\nworking_day: {starts: "18:00", ends: "09:00"}'),), 2, "start before it ends"),
        ((("languages: [de]", "languages: [german]"),), 5, "pattern"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_and_what_to_do(written, changes, line, said):
    path = written(*changes)
    with pytest.raises(DataFileError) as error:
        load_routing(path)
    assert any(f"{path}:{line}:" in told and said in told for told in str(error.value).splitlines()), str(error.value)


def test_every_mistake_of_a_file_is_told_at_once(written):
    with pytest.raises(DataFileError) as error:
        load_routing(written(("teams: [desk], languages", "teams: [x], languages"), ("{team: desk,", "{team: y,")))
    assert len(str(error.value).splitlines()) == 2


def test_the_example_in_the_shipped_file_is_a_valid_one(tmp_path):
    text = (
        STARTER_RULES.read_text(encoding="utf-8").replace("members: []", "members:").replace("#  - {name", "  - {name")
    )
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    assert [member.name for member in load_routing(path).file.members] == ["anna", "ben"]
