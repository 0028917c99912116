"""Is a 2xx kept? Kills a serving desk again and again under load and compares what it promised with what it has.

Run ``python -m benchmarks.durability`` (about ten minutes; ``--kills 5 --tickets 500`` for a try). Several clients
deliver tickets and repeat each, under the same external id, until they read a 2xx. The server is ended by SIGKILL at a
random moment of the load and started again; after each start, and at the end, every acknowledged id must be in the
database once, with one `received` event and one job.

SIGKILL shows that nothing acknowledged was only in the process. That the operating system and the disk keep it through
a loss of power is what ``synchronous=FULL`` and ``synchronous_commit=on`` ask of them, which no kill can show.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import threading
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from benchmarks import machine
from benchmarks.served import POSTGRESQL, Server, bare_environment, own_schema

RESULTS = Path(__file__).parent / "results" / "durability.json"
SOURCE = "durability"
CLIENTS = 6
SEED = 20_261_122


class Clients:
    """Threads that deliver tickets, each until it is acknowledged. Counters are for reading only."""

    def __init__(self, port: int, number: int = CLIENTS) -> None:
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._deliver, args=[client]) for client in range(number)]
        self.acknowledged: set[str] = set()
        self.repeated = 0
        self.told_duplicate = 0
        self.refused: Counter[int] = Counter()
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let each client have its last ticket acknowledged, then stop."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _deliver(self, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        number = 0
        while not self._stop.is_set():
            name = f"{client}-{number}"
            ticket = {
                "source": SOURCE,
                "external_id": name,
                "body": f"Where is my parcel {name}? " + "It is late. " * 9,
            }
            status = self._send(connection, ticket)
            while status not in (200, 201):
                if status:
                    self.refused[status] += 1
                self.repeated += 1
                time.sleep(0.05)
                status = self._send(connection, ticket)
            self.told_duplicate += status == 200
            self.acknowledged.add(name)
            number += 1
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, ticket: dict[str, str]) -> int:
        try:
            connection.request("POST", "/v1/tickets", json.dumps(ticket), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0
        return answer.status


def compare(url: str, acknowledged: set[str]) -> dict[str, int]:
    """What the database makes of the acknowledged ids, read without the desk's own code."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            stored: Counter[str] = Counter(
                _column(connection, "SELECT external_id FROM tickets WHERE source = :source")
            )
            once = "SELECT t.external_id FROM tickets t JOIN {} WHERE t.source = :source"
            received = Counter(
                _column(connection, once.format("events e ON e.ticket_id = t.id AND e.kind = 'received'"))
            )
            jobs = Counter(_column(connection, once.format("jobs j ON j.key = t.id AND j.kind = 'tag'")))
    finally:
        engine.dispose()
    return {
        "stored": len(stored),
        "lost": len(acknowledged - stored.keys()),
        "doubled": sum(number != 1 for number in stored.values()),
        "without_one_received_event": sum(received[name] != 1 for name in stored),
        "without_one_job": sum(jobs[name] != 1 for name in stored),
    }


def measure(url: str, home: Path, kills: int, tickets: int, clients: int = CLIENTS) -> dict[str, Any]:
    """Kill the server ``kills`` times while at least ``tickets`` tickets are acknowledged, comparing after each."""
    chance = random.Random(SEED)
    bad: Counter[str] = Counter()
    starts: list[float] = []
    began = time.monotonic()
    with Server(bare_environment(home, url), home / "server.log") as server:
        starts.append(server.start())
        load = Clients(server.port, clients)
        try:
            for kill in range(1, kills + 1):
                enough = tickets * kill / kills
                moment = time.monotonic() + chance.uniform(0.2, 1.0)
                while time.monotonic() < moment or len(load.acknowledged) < enough:
                    time.sleep(0.005)
                server.kill()
                promised = set(load.acknowledged)
                starts.append(server.start())
                bad.update(_bad(compare(url, promised)))
        finally:
            if not server.answers():
                server.start()
            load.finish()
        last = compare(url, load.acknowledged)
        bad.update(_bad(last))
    return {
        "kills": kills,
        "acknowledged": len(load.acknowledged),
        **last,
        **{f"{name}_at_any_restart": bad[name] for name in ("lost", "doubled")},
        "deliveries_repeated": load.repeated,
        "repeated_and_known": load.told_duplicate,
        "refused": {str(status): number for status, number in load.refused.items()},
        "start_seconds_mean": round(sum(starts) / len(starts), 2),
        "seconds": round(time.monotonic() - began, 1),
    }


def _bad(compared: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in compared.items() if name != "stored" and number}


def _column(connection: sa.Connection, query: str) -> list[str]:
    return list(connection.scalars(sa.text(query), {"source": SOURCE}))


def main() -> None:
    """Measure on both databases, print and write the figures."""
    parser = argparse.ArgumentParser(description="kill -9 under load: is every acknowledged ticket kept, once?")
    parser.add_argument("--kills", type=int, default=50, help="on each database")
    parser.add_argument("--tickets", type=int, default=10_000, help="acknowledged at least, on each database")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--postgresql", default=POSTGRESQL, help="server and database; a schema of its own is made")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": machine(),
        "what": "paretodesk serve without a model or vector index, forked from a launcher that has imported it",
        "clients": asked.clients,
    }
    with TemporaryDirectory() as folder, own_schema(asked.postgresql) as schema:
        for name, url in {"sqlite": f"sqlite:///{folder}/desk.db", "postgresql": schema}.items():
            home = Path(folder) / name
            home.mkdir()
            found = measure(url, home, asked.kills, asked.tickets, asked.clients)
            figures[name] = {"promise": promise(url), **found}
            print(json.dumps({name: figures[name]}, indent=2), flush=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def promise(url: str) -> dict[str, str]:
    """What the database was told about the disk."""
    from desk.database import open_database

    database = open_database(url)
    names = ("fsync", "synchronous_commit", "full_page_writes")
    sqlite = database.engine.dialect.name == "sqlite"
    with database.session(read_only=True) as session:
        told = {
            name: str(session.scalar(sa.text(f"PRAGMA {name}" if sqlite else f"SHOW {name}")))
            for name in (("journal_mode", "synchronous") if sqlite else names)
        }
    database.close()
    return told


if __name__ == "__main__":
    main()
