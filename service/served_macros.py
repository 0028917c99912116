"""The macros that serve now: follows the library, so that a newly locked version is said without a restart."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from desk.database import DatabaseError
from desk.macro_library import MacroLibrary, Mark
from desk.macro_use import macro_usefulness
from kb.macros import Macro
from kb.usefulness import Usefulness

log = logging.getLogger("paretodesk.macros")

LOOK_EVERY = 2.0
"""Seconds between looks at the library, so that a locked version serves within 5 s in every process."""
MEASURE_EVERY = 600.0
"""Seconds between measurements of usefulness; it changes over days."""


class ServedMacros:
    """A `kb.suggestions.MacroSource` over the library. What it knew last goes on serving while the database is away."""

    def __init__(self, library: MacroLibrary) -> None:
        self._library = library
        self._switching, self._measuring = threading.Lock(), threading.Lock()
        self._looked = self._measured = float("-inf")
        self._mark: Mark | None = None
        self._locked: Sequence[Macro] = ()
        self._usefulness: Mapping[str, Usefulness] = {}
        self._look()
        self._measure()

    def locked(self) -> Sequence[Macro]:
        """The locked macros; the same object while nothing changed."""
        if time.monotonic() - self._looked > LOOK_EVERY and self._switching.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._switching.release()
        return self._locked

    def usefulness(self) -> Mapping[str, Usefulness]:
        """What was measured last; a new measurement runs beside the request that finds it old."""
        if time.monotonic() - self._measured > MEASURE_EVERY and self._measuring.acquire(blocking=False):
            threading.Thread(target=self._measure_and_release, name="usefulness of macros", daemon=True).start()
        return self._usefulness

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            mark = self._library.mark()
            if mark != self._mark:
                self._locked, self._mark = self._library.locked(), mark
        except DatabaseError as error:
            log.error("macros not renewed, those known before keep serving: %s", error)

    def _measure_and_release(self) -> None:
        try:
            self._measure()
        finally:
            self._measuring.release()

    def _measure(self) -> None:
        self._measured = time.monotonic()
        try:
            self._usefulness = macro_usefulness(self._library.database)
        except DatabaseError as error:
            log.error("usefulness of macros not measured: %s", error)
