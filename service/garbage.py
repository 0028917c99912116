"""Garbage collection of a process that serves."""

from __future__ import annotations

import gc

THRESHOLDS = 50_000, 20, 10
"""Objects made before a look at the youngest, then looks before the next generation: 700, 10, 10 unless set."""


def settle() -> None:
    """Leave what is loaded by now out of every collection, and look less often.

    A model, word lists and libraries are a million objects that live as long as the process; looking through them again
    and again stops all threads for tenths of a second. What rarer collection gained: docs/adr/0018-intake-first.md.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
