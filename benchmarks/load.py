"""How long a delivery takes while 200 tickets a second come in, whether or not the desk keeps up.

Run ``python -m benchmarks.load`` (ten minutes for each database; ``--seconds 30`` for a try). The load is open: tickets
are sent at fixed moments, and latency counts from the moment at which a ticket should have been sent, so that a desk
that stalls pays for everything that had to wait. The model of ``PARETODESK_MODELS_STORE`` serves where there is one
(``--bare``: none). Client and desk share the machine.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import statistics
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from benchmarks import machine, refuse_slow_blas
from benchmarks.durability import promise
from benchmarks.served import POSTGRESQL, Server, bare_environment, own_schema
from service.settings import load_settings

RESULTS = Path(__file__).parent / "results" / "load.json"
SAMPLE = Path(__file__).parent.parent / "desk" / "sample" / "tickets.csv"
RATE, SECONDS = 200.0, 600.0
SENDERS = 48
"""Connections; the desk works on forty requests at once."""
WARM_UP = 100
PATIENCE = 600.0
"""Seconds for which the work that a rush put off is watched."""


class OpenLoad:
    """Sends ``rate`` tickets a second for ``seconds``, however slow the answers are."""

    def __init__(
        self,
        port: int,
        texts: list[tuple[str, str]],
        rate: float,
        seconds: float,
        senders: int,
        source: str = "load",
    ) -> None:
        self._port, self._texts, self._rate, self._source = port, texts, rate, source
        self._total = round(rate * seconds)
        self._next = count()
        self._senders = senders
        self.latencies: list[float] = []
        self.lateness: list[float] = []
        self.statuses: Counter[str] = Counter()

    def run(self) -> float:
        """Send everything; returns the seconds from the first intended moment to the last answer."""
        self._begin = time.perf_counter() + 0.2
        threads = [threading.Thread(target=self._send) for _ in range(self._senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - self._begin

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while (number := next(self._next)) < self._total:
            subject, body = self._texts[number % len(self._texts)]
            ticket = {"source": self._source, "external_id": str(number), "subject": subject, "body": body}
            sent = json.dumps(ticket).encode()
            intended = self._begin + number / self._rate
            if (early := intended - time.perf_counter()) > 0:
                time.sleep(early)
            self.lateness.append(time.perf_counter() - intended)
            try:
                connection.request("POST", "/v1/tickets", sent, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                told = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                told = type(error).__name__
            self.statuses[told] += 1
            self.latencies.append(time.perf_counter() - intended)
        connection.close()


def measure(
    url: str, home: Path, rate: float, seconds: float, senders: int, *, bare: bool, patience: float
) -> dict[str, Any]:
    """The figures of one run against a fresh desk."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        texts = [(row["Subject"][:2_000], row["Message"]) for row in csv.DictReader(file) if row["Message"].strip()]
    environment = bare_environment(home, url)
    if not bare:
        environment["PARETODESK_MODELS_STORE"] = str(load_settings().models_store.absolute())
    with Server(environment, home / "server.log") as server:
        server.start()
        OpenLoad(server.port, [("", "warming up")], 50, WARM_UP / 50, 8, "warm-up").run()
        load = OpenLoad(server.port, texts, rate, seconds, senders)
        before = server.cpu_seconds()
        took = load.run()
        used = server.cpu_seconds() - before
        behind = _waiting_jobs(url)
        late = None if bare else _until_tagged(url, patience)
        left = _waiting_jobs(url)
    accepted = load.statuses["201"]
    return {
        "rate": rate,
        "seconds": seconds,
        "model": not bare,
        "sent": len(load.latencies),
        "errors": sum(load.statuses.values()) - accepted,
        "answers": dict(load.statuses),
        "tickets_per_second": round(accepted / took, 1),
        "server_cpu_ms_per_ticket": round(1_000 * used / len(load.latencies), 2),
        "latency_ms": _figures(load.latencies),
        "sender_late_ms": _figures(load.lateness),
        "jobs_behind_at_the_end": behind,
        "jobs_left_after_waiting": left,
        "waited_s": round(late, 1) if late is not None else None,
    }


def _figures(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    figures = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {name: round(1_000 * value, 1) for name, value in figures.items()}


def _waiting_jobs(url: str) -> int:
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            waiting = sa.text("SELECT count(*) FROM jobs WHERE state IN ('queued', 'leased')")
            return int(connection.scalar(waiting) or 0)
    finally:
        engine.dispose()


def _until_tagged(url: str, patience: float) -> float:
    """Seconds until no job waits any more, or until ``patience`` is at an end."""
    began = time.monotonic()
    while time.monotonic() - began < patience and _waiting_jobs(url):
        time.sleep(0.5)
    return time.monotonic() - began


def main() -> None:
    """Measure, print and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description="latency of POST /v1/tickets under an open load")
    parser.add_argument("--rate", type=float, default=RATE, help="tickets a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--senders", type=int, default=SENDERS)
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to watch the work put off")
    parser.add_argument("--bare", action="store_true", help="serve without a model")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--postgresql", default=POSTGRESQL, help="server and database; a schema of its own is made")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    figures: dict[str, Any] = {"machine": machine(), "client": "on the same machine"}
    with TemporaryDirectory() as folder, own_schema(asked.postgresql) as schema:
        for name, url in {"sqlite": f"sqlite:///{folder}/desk.db", "postgresql": schema}.items():
            if asked.database not in (name, "both"):
                continue
            home = Path(folder) / name
            home.mkdir()
            found = measure(
                url, home, asked.rate, asked.seconds, asked.senders, bare=asked.bare, patience=asked.patience
            )
            figures[name] = {"promise": promise(url), **found}
            print(json.dumps({name: figures[name]}, indent=2), flush=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
