"""Tickets that came in without a model are tagged once there is one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from desk.database import DatabaseError
from service.wiring import Services

log = logging.getLogger("paretodesk.service")

LOOK_EVERY = 15.0
"""Seconds between looks for tickets that wait."""


@contextmanager
def tagging_of_waiting_tickets(services: Services, every: float = LOOK_EVERY) -> Iterator[None]:
    """Tags waiting tickets in the background until the block ends."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                if services.tagger.tagger.model is not None:
                    services.desk.tag_waiting(services.tagger)
            except DatabaseError as error:
                log.error("waiting tickets were not tagged: %s", error)
            stop.wait(every)

    thread = threading.Thread(target=work, name="tagging of waiting tickets", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
