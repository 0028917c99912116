"""Whether there is time: to tag a ticket within its request, and for the background to work without a rest."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

AT_ONCE_PER_SECOND = 10.0
"""One ticket by itself costs some 10 ms of a core, in a batch a third of it: beyond this the worker batches them."""
AT_ONCE_BURST = 20.0
RUSH = 60.0
"""Tickets a second from which on the background rests: what comes in is taken in first, tags may be a little later."""
RATE_OVER = 2.0
"""Seconds over which arrivals are averaged, with weights that fade exponentially."""
REST = 9.0
"""Seconds of rest to a second of work in a rush: the background keeps a tenth of its time, so that it never stands."""
PORTION = 16
"""Jobs at once in a rush: all that come in meanwhile are slower, so that it has to be over soon."""


class Pace:
    """Counts the tickets that come in, and says what there is time for; safe between threads."""

    def __init__(
        self,
        per_second: float = AT_ONCE_PER_SECOND,
        burst: float = AT_ONCE_BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left, self._at, self._rate = burst, clock(), 0.0
        self._changing = threading.Lock()

    def time_to_tag(self) -> bool:
        """Counts a ticket and says whether it may be tagged within its request (token bucket; none in a rush)."""
        with self._changing:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
            self._rate = self._faded(now) + 1 / RATE_OVER
            self._at = now
            if self._left < 1 or self._rate > RUSH:
                return False
            self._left -= 1
            return True

    @property
    def rate(self) -> float:
        """Tickets a second that came of late."""
        with self._changing:
            return self._faded(self._clock())

    def rest_after(self, worked: float) -> float:
        """Seconds for which the background rests after ``worked`` seconds of work: none unless many tickets come."""
        return REST * worked if self.rate > RUSH else 0.0

    def portion(self, batch: int) -> int:
        """How many jobs of a ``batch`` the background does at once."""
        return min(batch, PORTION) if self.rate > RUSH else batch

    def _faded(self, now: float) -> float:
        return self._rate * math.exp((self._at - now) / RATE_OVER)
