"""Clocks of service levels are watched while the service runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from desk import DeskError
from desk.inbox import Desk
from desk.sla.watch import watch

log = logging.getLogger("paretodesk.service")

LOOK_EVERY = 30.0
"""Seconds between looks; the console counts in minutes."""


@contextmanager
def watching_of_clocks(desk: Desk, every: float = LOOK_EVERY) -> Iterator[None]:
    """Records at-risk and breached clocks in the background until the block ends."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                watch(desk.database, desk.policies)
            except DeskError as error:
                log.error("service-level clocks were not watched: %s", error)
            except Exception as error:  # noqa: BLE001  # a thread that ends here would let clocks run out unseen
                log.error("service-level clocks were not watched: %s", type(error).__name__)
            stop.wait(every)

    thread = threading.Thread(target=work, name="watching of clocks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
