"""Many tickets at once: on this machine, and on a Dask cluster of real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from desk.inbox import IncomingTicket
from service.bulk import ClusterError, tag_in_bulk
from service.cli import app
from service.settings import load_settings
from service.wiring import open_desk

TEXTS = ["Where is my parcel?", "I want to return this lamp.", "Please cancel my order.", "It arrived broken."]


def batches(n):
    return [[("", f"{TEXTS[(i + j) % len(TEXTS)]} {i}") for j in range(3)] for i in range(n)]


@pytest.fixture
def store(store_of, small_model, tmp_path):
    return store_of(tmp_path / "models", small_model)


@contextmanager
def processes(*commands, ready):
    """Runs the commands as a person would in terminals of their own, until the block ends."""
    running = []
    try:
        for command in commands:
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            ready()
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.fixture
def cluster():
    """A scheduler and two workers, started by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"

    def up():
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("the scheduler did not start")

    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-jupyter"]
    worker = [*dask, "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    with processes(scheduler, worker, worker, ready=up) as running:
        yield address, running[1:]


def plain(tags):
    return [[(tag.reason, round(tag.confidence, 5), tag.decision, tag.model) for tag in batch] for batch in tags]


def test_a_cluster_of_processes_gives_the_tags_of_this_machine_in_order_though_it_sees_no_store(store, cluster):
    here = plain(tag_in_bulk(*store, batches(6), jobs=1))
    elsewhere = tag_in_bulk(*store, batches(6), cluster=cluster[0])
    assert plain(elsewhere) == here
    assert {model for batch in here for *_, model in batch} == {"reasons/small"}


def test_a_worker_that_dies_half_way_costs_no_ticket(store, cluster):
    address, workers = cluster
    told = []
    for number, tags in enumerate(tag_in_bulk(*store, batches(40), cluster=address)):
        told.append(tags)
        if number == 5:
            os.kill(workers[0].pid, signal.SIGKILL)
    assert plain(told) == plain(tag_in_bulk(*store, batches(40), jobs=1))


def test_a_local_cluster_of_several_processes_does_the_same(store):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        told = plain(tag_in_bulk(*store, batches(6), cluster=local.scheduler_address))
    assert told == plain(tag_in_bulk(*store, batches(6), jobs=1))


def test_a_cluster_that_is_not_there_is_an_error_that_says_what_to_do(store, monkeypatch):
    monkeypatch.setattr("service.bulk.REACHED_WITHIN", 1)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1: start one"):
        list(tag_in_bulk(*store, batches(1), cluster="tcp://127.0.0.1:1"))
    with pytest.raises(ClusterError, match="no Dask scheduler answers at nonsense"):
        list(tag_in_bulk(*store, batches(1), cluster="nonsense"))


def test_the_command_tags_once_more(store, tmp_path, monkeypatch):
    models, key = store
    for name, value in (("HOME", tmp_path / "home"), ("MODELS_STORE", models), ("SIGNING_KEY", key)):
        monkeypatch.setenv(f"PARETODESK_{name}", str(value))
    with open_desk(load_settings()) as desk:
        ids = [desk.receive(IncomingTicket(source="t", external_id=text, channel="web", body=text)).ticket_id
               for text in TEXTS[:2]]  # fmt: skip
        desk.correct_tag(ids[0], "tracking_update", "agent:anna")
    done = CliRunner().invoke(app, ["retag", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["model"], told["waiting"], told["tickets"], told["changed"]) == ("reasons/small", 1, 1, 1)
    wrong = CliRunner().invoke(app, ["retag", "--from", "soon"])
    assert wrong.exit_code == 2
    assert "write a day such as 2026-01-31" in wrong.output
