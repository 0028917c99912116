"""Speed and quality, measured; results are committed as JSON under results/."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

from classifier.encoders import cores_at_hand

SLOW = frozenset({"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"})


def refuse_slow_blas() -> None:
    """Exit when the environment holds settings that slow numpy down."""
    if SLOW & set(os.environ):
        sys.exit(f"unset {' and '.join(sorted(SLOW))}: they slow numpy down")


def machine() -> str:
    """What the figures were measured on."""
    return f"{platform.machine()}, {cores_at_hand()} cores, Python {platform.python_version()}"


def arguments(description: str, results: Path) -> argparse.ArgumentParser:
    """The command line of a benchmark that writes its figures to ``results`` unless it is told another file."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=results, help="where the figures go")
    return parser
