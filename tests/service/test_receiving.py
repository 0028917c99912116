"""Tickets over HTTP: on disk with their job first, tagged at once where there is time, on both databases."""

import contextlib
import dataclasses
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from classifier.tagger import Tagger
from desk.access.accounts import Accounts
from desk.access.api_keys import ApiKeys
from desk.intake import TAG
from desk.tables import jobs
from kb.content import STARTER_CONTENT
from service.app import create_app
from service.job_kinds import working
from service.pace import PORTION, REST, RUSH, Pace
from service.settings import Settings, load_settings
from service.wiring import Services, open_services


class FixedTagger:
    """A tagger as the service holds it, that does not change while it serves."""

    problem = None

    def __init__(self, tagger: Tagger) -> None:
        self.tagger, self.model_id = tagger, tagger.model_id

    def tag(self, subject: str, body: str):
        return self.tagger.tag(subject, body)

    def tag_many(self, texts):
        return self.tagger.tag_many(texts)


class BrokenTagger(FixedTagger):
    def tag(self, subject: str, body: str):
        raise RuntimeError("the model fell over")


@pytest.fixture
def bare_settings(tmp_path, database_url) -> Settings:
    for folder in ("articles/en", "macros/en"):
        shutil.copytree(STARTER_CONTENT / folder, tmp_path / "content" / folder)
    return load_settings(
        home=tmp_path / "home", content=tmp_path / "content", models_store=tmp_path / "no-models",
        database_url=database_url, chroma_url="http://127.0.0.1:9",
    )  # fmt: skip


@pytest.fixture
def bare(bare_settings) -> Iterator[Services]:
    with open_services(bare_settings) as opened:
        yield opened


def client_of(services: Services, **changes: object) -> TestClient:
    return TestClient(create_app(dataclasses.replace(services, **changes)), raise_server_exceptions=False)


def job_states(services: Services) -> Counter[str]:
    with services.database.session(read_only=True) as session:
        return Counter(session.scalars(sa.select(jobs.c.state).where(jobs.c.kind == TAG)))


def deliver(client: TestClient, external_id: str):
    return client.post("/v1/tickets", json={"external_id": external_id, "body": "Where is my parcel?"})


def test_a_ticket_is_tagged_in_the_answer_and_its_job_is_done(bare, small_tagger):
    client = client_of(bare, tagger=FixedTagger(small_tagger))
    first = deliver(client, "1")
    assert (first.status_code, first.json()["state"]["reason"]) == (201, "tracking_update")
    again = deliver(client, "1")
    assert (again.status_code, again.json()["duplicate"], again.json()["id"]) == (200, True, first.json()["id"])
    assert job_states(bare) == {"done": 1}
    assert [event["kind"] for event in again.json()["events"]] == ["received", "tagged"]


def test_a_key_that_may_only_deliver_reads_nothing_of_the_ticket(bare):
    _, secret = ApiKeys(bare.database).add("shop", ["tickets:deliver"], by="test")
    Accounts(bare.database).add("anna", "agent", by="test", password="seven quiet herons")
    client = client_of(bare)
    client.headers["Authorization"] = f"Bearer {secret}"
    first = deliver(client, "1")
    assert first.status_code == 201
    bare.desk.reply(first.json()["id"], "For Mrs Berg only.", "agent:anna")
    again = deliver(client, "1")
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert set(again.json()) == {"id", "source", "external_id", "channel", "created_at", "received_at", "duplicate"}
    assert client.get(f"/v1/tickets/{first.json()['id']}").status_code == 403


def test_in_a_rush_tickets_are_accepted_untagged_and_the_worker_tags_them_in_batches(bare, small_tagger):
    serving = dataclasses.replace(bare, tagger=FixedTagger(small_tagger), pace=Pace(0, 0))
    client = client_of(serving)
    ids = []
    for number in range(20):
        answer = deliver(client, str(number))
        assert (answer.status_code, answer.json()["state"]["decision"]) == (201, "undecided")
        ids.append(answer.json()["id"])
    assert job_states(bare) == {"queued": 20}
    with working(serving):
        ends = time.monotonic() + 30
        while job_states(bare) != {"done": 20} and time.monotonic() < ends:
            time.sleep(0.05)
    assert {serving.desk.ticket(ticket_id).state.reason for ticket_id in ids} == {"tracking_update"}


def test_a_tagger_that_falls_over_costs_neither_the_ticket_nor_its_job(bare, small_tagger):
    answer = deliver(client_of(bare, tagger=BrokenTagger(small_tagger)), "1")
    assert (answer.status_code, answer.json()["state"]["reason"]) == (201, None)
    assert job_states(bare) == {"queued": 1}


def test_without_a_model_tickets_wait_with_their_jobs(bare):
    answer = deliver(client_of(bare), "1")
    assert (answer.status_code, answer.json()["state"]["decision"]) == (201, "undecided")
    with working(bare):
        time.sleep(0.7)
    assert job_states(bare) == {"queued": 1}


class Relay:
    """Forwards TCP to a database until it is cut, as a network does."""

    def __init__(self, host: str, port: int) -> None:
        self._target, self._open = (host, port), []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=[source, target], daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_went_away_is_a_503_problem_that_says_what_to_do(bare_settings):
    relay = Relay("127.0.0.1", 5432)
    through = bare_settings.database_url.replace("127.0.0.1:5432", f"127.0.0.1:{relay.port}")
    with open_services(bare_settings.model_copy(update={"database_url": through})) as services:
        client = client_of(services)
        assert deliver(client, "1").status_code == 201
        relay.cut()
        answer = deliver(client, "2")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "check that the server runs" in answer.json()["detail"]
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_locked_database_is_a_503_problem(bare_settings, monkeypatch):
    import sqlite3

    monkeypatch.setattr("desk.database.BUSY_TIMEOUT_MS", 50)
    with open_services(bare_settings) as services:
        holder = sqlite3.connect(bare_settings.database_url.removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        answer = deliver(client_of(services), "1")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "not stored" in answer.json()["detail"]
        holder.close()
        assert deliver(client_of(services), "1").status_code == 201


def test_tickets_are_tagged_at_once_up_to_a_rate():
    now = 0.0
    pace = Pace(per_second=10, burst=3, clock=lambda: now)
    assert [pace.time_to_tag() for _ in range(5)] == [True, True, True, False, False]
    now = 0.25
    assert [pace.time_to_tag() for _ in range(4)] == [True, True, False, False]
    now = 100.0
    assert [pace.time_to_tag() for _ in range(5)] == [True, True, True, False, False]


def test_in_a_rush_nothing_is_tagged_at_once_and_the_background_rests_until_it_is_over():
    now = 0.0
    pace = Pace(clock=lambda: now)
    for number in range(1_200):
        now = number / 200
        at_once = pace.time_to_tag()
    assert pace.rate == pytest.approx(200, rel=0.1)
    assert not at_once
    assert pace.rest_after(0.5) == REST * 0.5
    assert (pace.portion(64), pace.portion(8)) == (PORTION, 8)
    now += 10
    assert pace.rate < RUSH
    assert pace.rest_after(0.5) == 0
    assert pace.portion(64) == 64
    assert pace.time_to_tag()
