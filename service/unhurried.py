"""Whether there is time to tag a ticket within its request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AT_ONCE_PER_SECOND = 10.0
"""One ticket by itself costs some 10 ms of a core, in a batch a third of it: beyond this the worker batches them."""
AT_ONCE_BURST = 20.0


class Unhurried:
    """Says whether there is time to tag a ticket within its request: a token bucket, safe between threads."""

    def __init__(
        self,
        per_second: float = AT_ONCE_PER_SECOND,
        burst: float = AT_ONCE_BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left, self._at = burst, clock()
        self._changing = threading.Lock()

    def __call__(self) -> bool:
        """Whether this ticket may be tagged at once; counts it."""
        with self._changing:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
