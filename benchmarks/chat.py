"""How long a customer of the chat waits for a turn, with 50 conversations at once.

Run ``python -m benchmarks.chat`` (two minutes for each database; ``--customers 3 --seconds 20`` for a try). Customers
play the shipped scripted conversations over the widget's API, one after the other, and think for a few seconds before
each thing that they say. A turn counts from sending it to its last server-sent event; the first event is when the
widget shows something. The model of ``PARETODESK_MODELS_STORE`` serves. Client and desk share the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import machine, refuse_slow_blas
from benchmarks.served import POSTGRESQL, Server, own_schema
from bot.script import Script, ScriptTurn
from bot.script_files import STARTER_SCRIPTS, Scripts, load_scripts
from desk.database import open_database
from desk.order_table import EMAIL, ORDER_ID, POSTCODE
from desk.tables import orders, upsert
from kb.knowledge import KnowledgeBase
from service.settings import load_settings

RESULTS = Path(__file__).parent / "results" / "chat.json"
CUSTOMERS, SECONDS, THINKING = 50, 120.0, 4.0
READY_WITHIN = 180.0
QUESTION = "How do I send something back?"
"""Answered from an article as soon as model and index are there."""


class Customers:
    """``number`` customers who play ``scripts`` for ``seconds``, thinking ``thinking`` seconds on average."""

    def __init__(self, port: int, scripts: Sequence[Script], number: int, seconds: float, thinking: float) -> None:
        self._port, self._scripts, self._number = port, scripts, number
        self._thinking, self._seconds = thinking, seconds
        self._next = count()
        self.turns: list[float] = []
        self.first_events: list[float] = []
        self.sessions: list[float] = []
        self.acts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def run(self) -> float:
        """Play; returns the seconds that it took."""
        began = time.perf_counter()
        self._end = began + self._seconds
        threads = [threading.Thread(target=self._play, args=(number,)) for number in range(self._number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    def _play(self, number: int) -> None:
        mind = random.Random(number)  # thinking times, the same in every run
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        time.sleep(mind.uniform(0, self._thinking))  # customers do not arrive together
        while time.perf_counter() < self._end:
            script = self._scripts[next(self._next) % len(self._scripts)]
            try:
                self._converse(connection, script, mind)
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                self.errors[type(error).__name__] += 1
        connection.close()

    def _converse(self, connection: http.client.HTTPConnection, script: Script, mind: random.Random) -> None:
        began = time.perf_counter()
        url, token = begin(connection, script.locale)
        self.sessions.append(time.perf_counter() - began)
        offered: set[str] = set()
        for turn in script.turns:
            if turn.press and turn.press not in offered:
                continue
            time.sleep(mind.expovariate(1 / self._thinking))
            if time.perf_counter() > self._end:
                return
            connection.close()  # the desk has closed it meanwhile if the customer thought for long
            began = time.perf_counter()
            told, first = say(connection, url, token, turn)
            self.turns.append(time.perf_counter() - began)
            self.first_events.append(first - began)
            self.acts[told["act"]] += 1
            offered = {choice["value"] for choice in told["choices"]}


def begin(connection: http.client.HTTPConnection, locale: str) -> tuple[str, str]:
    """Open a conversation; its path and its token. Raises `ValueError` where the desk refuses."""
    sent = json.dumps({"site": "demo", "locale": locale})
    connection.request("POST", "/v1/chat/sessions", sent, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    if answer.status != http.HTTPStatus.CREATED:
        raise ValueError(f"no conversation: {told}")
    return f"/v1/chat/sessions/{told['session_id']}/messages", told["token"]


def say(connection: http.client.HTTPConnection, url: str, token: str, turn: ScriptTurn) -> tuple[dict[str, Any], float]:
    """Send one thing; the desk's turn, and when its first event was here. Raises `ValueError` where there is none."""
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
    sent = {"text": turn.customer or ""} | ({"choice": turn.press} if turn.press else {})
    connection.request("POST", url, json.dumps(sent), headers)
    answer = connection.getresponse()
    first, event, told = 0.0, "", None
    for line in answer:
        first = first or time.perf_counter()
        name, _, value = line.decode().strip().partition(": ")
        event = value if name == "event" else event
        if name == "data" and event == "turn":
            told = json.loads(value)
    if told is None:
        raise ValueError(f"no turn, status {answer.status}")
    return told, first


def load_orders(url: str, scripts: Scripts) -> None:
    """Store the scripts' orders in the desk at ``url``."""
    database = open_database(url)
    rows = []
    for order_id, facts in scripts.orders.items():
        known = {ORDER_ID: order_id, **facts}
        proofs = {"buyer_email": known.pop(EMAIL, None), "postcode": known.pop(POSTCODE, None)}
        rows.append({"order_id": order_id, "facts": known, "as_of": datetime.now(UTC), **proofs})
    try:
        with database.session() as session:
            session.execute(upsert(session, orders), rows)
    finally:
        database.close()


def measure(url: str, home: Path, scripts: Scripts, customers: int, seconds: float, thinking: float) -> dict[str, Any]:
    """The figures of one run against a fresh desk."""
    load_orders(url, scripts)
    environment = {
        "PARETODESK_HOME": str(home),
        "PARETODESK_DATABASE_URL": url,
        "PARETODESK_MODELS_STORE": str(load_settings().models_store.absolute()),
    }
    played = [placed.script for placed in scripts.conversations]
    random.Random(0).shuffle(played)  # the order of the conversations, the same in every run
    with Server(environment, home / "server.log") as server:
        server.start()
        _until_it_answers(server.port)
        Customers(server.port, played, customers, 5.0, 1.0).run()
        run = Customers(server.port, played, customers, seconds, thinking)
        before = server.cpu_seconds()
        took = run.run()
        used = server.cpu_seconds() - before
    return {
        "customers": customers,
        "seconds": seconds,
        "thinking_s": thinking,
        "turns": len(run.turns),
        "turns_per_second": round(len(run.turns) / took, 2),
        "conversations": len(run.sessions),
        "acts": dict(sorted(run.acts.items())),
        "errors": dict(run.errors),
        "server_cpu_ms_per_turn": round(1_000 * used / max(1, len(run.turns)), 1),
        "turn_ms": _figures(run.turns),
        "first_event_ms": _figures(run.first_events),
        "new_conversation_ms": _figures(run.sessions),
    }


def _until_it_answers(port: int) -> None:
    """Wait for model and index, which are loaded beside the first requests."""
    deadline = time.monotonic() + READY_WITHIN
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        url, token = begin(connection, "en")
        told, _ = say(connection, url, token, ScriptTurn(customer=QUESTION))
        if told["act"] == "answer":
            connection.close()
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {READY_WITHIN:.0f} s the bot still says: {told}; is a model in the store?")
        time.sleep(0.5)


def _figures(seconds: Sequence[float]) -> Mapping[str, float]:
    if len(seconds) < 2:  # quantiles need two
        return {}
    cuts = statistics.quantiles(seconds, n=100)
    figures = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {name: round(1_000 * value, 1) for name, value in figures.items()}


def main() -> None:
    """Measure, print and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description="latency of a turn of the chat with many conversations at once")
    parser.add_argument("--customers", type=int, default=CUSTOMERS, help="conversations at the same time")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--thinking", type=float, default=THINKING, help="mean seconds before something is said")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--postgresql", default=POSTGRESQL, help="server and database; a schema of its own is made")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    if asked.customers < 1 or asked.seconds <= 0 or asked.thinking <= 0:
        parser.error("--customers, --seconds and --thinking have to be more than 0")
    scripts = load_scripts(STARTER_SCRIPTS, KnowledgeBase.load())
    figures: dict[str, Any] = {"machine": machine(), "client": "on the same machine"}
    with TemporaryDirectory() as folder, own_schema(asked.postgresql) as schema:
        for name, url in {"sqlite": f"sqlite:///{folder}/desk.db", "postgresql": schema}.items():
            if asked.database not in (name, "both"):
                continue
            home = Path(folder) / name
            home.mkdir()
            figures[name] = measure(url, home, scripts, asked.customers, asked.seconds, asked.thinking)
            print(json.dumps({name: figures[name]}, indent=2), flush=True)
    asked.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
