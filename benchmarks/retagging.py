"""What re-tagging costs in memory and time: a desk of 100,000 tickets, and the slope for a million.

Run ``python -m benchmarks.retagging`` after ``paretodesk train``; ``--tickets`` for a smaller try, ``--cluster N`` to
have N Dask workers of this machine tag instead of joblib's processes. Texts are those of the sample export with a
number, so that none is equal to another. Memory is the proportional set size of the command and all its children,
every quarter of a second; the slope is a straight line through what was held after the first quarter of the tickets.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from benchmarks import machine, refuse_slow_blas
from desk.database import open_database
from desk.inbox import Desk, IncomingTicket
from service.settings import load_settings

SAMPLE = Path(__file__).parent.parent / "desk" / "sample" / "tickets.csv"
RESULTS = Path(__file__).parent / "results" / "retagging.json"
LOOK_EVERY = 0.25
BATCH = 1_000
MILLION = 1_000_000


def main() -> None:
    """Measure, print and write the figures."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--cluster", type=int, default=0, help="Dask workers on this machine instead of processes")
    arguments = parser.parse_args()
    settings = load_settings()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _fill(home, arguments.tickets)
        command = [sys.executable, "-m", "service.cli", "retag", "--json"]
        pids = []
        if arguments.cluster:
            from distributed import LocalCluster

            local = LocalCluster(n_workers=arguments.cluster, threads_per_worker=1, dashboard_address=None)
            local = stack.enter_context(local)
            command += ["--cluster", local.scheduler_address]
            pids = [worker.pid for worker in local.workers.values()]
        figures = {
            "machine": machine(),
            "workers": f"{arguments.cluster} Dask workers" if arguments.cluster else "one process per core",
            **_measure(command, home, settings.models_store, settings.signing_key, pids),
        }
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known["cluster" if arguments.cluster else "local"] = figures
    RESULTS.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def _fill(home: Path, number: int) -> None:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        texts = [(row["Subject"], row["Message"]) for row in csv.DictReader(file)]
    database = open_database(f"sqlite:///{home}/desk.db")
    desk = Desk(database)
    for start in range(0, number, BATCH):
        batch = []
        for n in range(start, min(start + BATCH, number)):
            subject, body = texts[n % len(texts)]
            ticket = IncomingTicket(
                source="b", external_id=str(n), channel="amazon", subject=subject, body=f"{body} {n}"
            )
            batch.append((ticket, ()))
        desk.receive_many(batch)
    database.close()


def _measure(command: list[str], home: Path, store: Path, key: Path, others: list[int]) -> dict[str, object]:
    environment = os.environ | {
        "PARETODESK_HOME": str(home), "PARETODESK_MODELS_STORE": str(store.resolve()),
        "PARETODESK_SIGNING_KEY": str(key.resolve()), "PARETODESK_DATABASE_URL": f"sqlite:///{home}/desk.db",
    }  # fmt: skip
    started, seen = time.perf_counter(), []
    with (home / "out.json").open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.DEVNULL, env=environment)
        while process.poll() is None:
            pids = [*_family(process.pid), *others]
            seen.append((time.perf_counter() - started, sum(map(_proportional, pids)), _proportional(process.pid)))
            time.sleep(LOOK_EVERY)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    seconds = time.perf_counter() - started
    result = json.loads((home / "out.json").read_text(encoding="utf-8"))
    at, all_of_it, parent = (np.array(column) for column in zip(*seen, strict=True))
    later = at > seconds / 4
    per_second = float(np.polyfit(at[later], all_of_it[later], 1)[0])
    rate = result["tickets"] / seconds
    million = float(all_of_it[later].max()) + max(0.0, per_second) * (MILLION - result["tickets"]) / rate
    return {
        "tickets": result["tickets"],
        "seconds": round(seconds, 1),
        "tickets_per_s": round(rate),
        "peak_mb": round(float(all_of_it.max())),
        "peak_of_the_command_alone_mb": round(float(parent.max())),
        "slope_mb_per_100000": round(per_second * 100_000 / rate, 1),
        "a_million_would_take_mb": round(million),
        "a_million_would_take_minutes": round(MILLION / rate / 60),
    }


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    with suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [each for child in (task / "children").read_text().split() for each in _family(int(child))]
    return found


def _proportional(pid: int) -> float:
    """Megabytes, pages shared with others counted by share."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


if __name__ == "__main__":
    main()
