"""A real server, ended by SIGKILL under load, keeps every ticket that it acknowledged, once."""

from pathlib import Path

import pytest

from benchmarks.durability import compare, measure
from benchmarks.served import own_schema
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket


@pytest.fixture
def durable_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path):
    """As `database_url`, but PostgreSQL waits for its disk as it does by default."""
    if database_url.startswith("sqlite"):
        yield database_url
    else:
        with own_schema(f"postgresql://{request.getfixturevalue('postgres_server')}") as url:
            yield url


def test_killed_under_load_a_desk_keeps_every_acknowledged_ticket_once(durable_url, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    found = measure(durable_url, home, kills=2, tickets=200, clients=4)
    assert found["acknowledged"] >= 200
    assert found["acknowledged"] == found["stored"]
    bad = ("lost", "doubled", "without_one_received_event", "without_one_job", "lost_at_any_restart")
    assert {name: found[name] for name in bad} == dict.fromkeys(bad, 0)
    assert found["deliveries_repeated"] > 0  # the kills hit deliveries under way


def test_the_comparison_sees_what_is_lost_and_what_has_no_job(durable_url):
    database = open_database(durable_url)
    Desk(database).receive(IncomingTicket("durability", "1", "Where is my parcel?"))
    database.close()
    found = compare(durable_url, {"1", "2"})
    assert (found["stored"], found["lost"], found["doubled"], found["without_one_job"]) == (1, 1, 0, 1)
