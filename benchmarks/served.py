"""A real ``paretodesk serve`` that can be killed and started again within a second or two.

Most of a start is importing libraries, so a launcher imports them once and forks a server each time it is asked to:
what runs is `service.commands.serving.serve`, in a process of its own, over settings from the environment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

STARTS_WITHIN = 120.0
ROOT = Path(__file__).parent.parent
POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/test"


class Server:
    """A server under ``environment`` on a free port; a context manager that ends with no process left."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._log = log.open("ab")
        self._launcher = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.served", str(self.port)],
            cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, text=True,
        )  # fmt: skip
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        assert self._launcher.stdin
        self._launcher.stdin.close()
        self._launcher.wait(30)
        assert self._launcher.stdout
        self._launcher.stdout.close()
        self._log.close()

    def start(self) -> float:
        """Start a server and wait until it answers; returns the seconds that it took."""
        began = time.monotonic()
        assert self._launcher.stdin
        assert self._launcher.stdout
        print("start", file=self._launcher.stdin, flush=True)
        self.pid = int(self._launcher.stdout.readline() or "0")
        if not self.pid:
            raise RuntimeError(f"the launcher ended: {_tail(self._log.name)}")
        while not self.answers():
            if time.monotonic() - began > STARTS_WITHIN:
                raise RuntimeError(f"no answer within {STARTS_WITHIN:.0f} s: {_tail(self._log.name)}")
            time.sleep(0.05)
        return time.monotonic() - began

    def kill(self) -> None:
        """End the server as a crash does: SIGKILL, and no process of it left."""
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        assert self._launcher.stdout
        self._launcher.stdout.readline()  # the launcher has reaped it
        self.pid = 0

    def cpu_seconds(self) -> float:
        """Time of a core that the server has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answers(self) -> bool:
        """Whether a request is served."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except (urllib.error.URLError, OSError):
            return False


def bare_environment(home: Path, database_url: str) -> dict[str, str]:
    """Settings of a desk without model and vectors: its tickets wait undecided, articles are searched by words."""
    return {
        "PARETODESK_HOME": str(home),
        "PARETODESK_DATABASE_URL": database_url,
        "PARETODESK_MODELS_STORE": str(home / "no-models"),
        "PARETODESK_CHROMA_URL": "http://127.0.0.1:9",  # nobody listens there, which costs no time
    }


@contextmanager
def own_schema(server: str = POSTGRESQL) -> Iterator[str]:
    """A URL for SQLAlchemy of an empty schema on a PostgreSQL server, dropped at the end."""
    name = f"paretodesk_bench_{os.getpid()}_{time.time_ns() % 10**9}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"'.encode())
    try:
        yield f"{server.replace('postgresql://', 'postgresql+psycopg://', 1)}?options=-csearch_path%3D{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("SET client_min_messages TO warning")
            connection.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())


def _tail(log: str) -> str:
    return Path(log).read_text(encoding="utf-8", errors="replace")[-2_000:] or "its log is empty"


def _launch(port: int) -> None:
    from service.commands.serving import serve
    from service.console_output import log_to_stderr

    log_to_stderr()
    for line in sys.stdin:
        if line.strip() != "start":
            continue
        if not (pid := os.fork()):
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.dup2(2, 1)
            try:
                serve(host="127.0.0.1", port=port)
            finally:
                os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    _launch(int(sys.argv[1]))
