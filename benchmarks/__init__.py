"""Speed and quality, measured; results are committed as JSON under results/."""

from __future__ import annotations

import os
import platform
import sys

from classifier.encoders import cores_at_hand

SLOW = frozenset({"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"})


def refuse_slow_blas() -> None:
    """Exit when the environment holds settings that slow numpy down."""
    if SLOW & set(os.environ):
        sys.exit(f"unset {' and '.join(sorted(SLOW))}: they slow numpy down")


def machine() -> str:
    """What the figures were measured on."""
    return f"{platform.machine()}, {cores_at_hand()} cores, Python {platform.python_version()}"
