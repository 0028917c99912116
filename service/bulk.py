"""Many tickets at once: one process per core, each with its own encoder on one thread.

Two processes of one thread tag more than one process of two: half of the work is Python, and BLAS threads that wait
for each other lose most on a machine that does something else besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from joblib import Parallel, delayed

from classifier.encoders import UniversalEncoder, cores_at_hand
from classifier.tagger import Tag
from classifier.taxonomy import starter_taxonomy
from models.registry import Registry
from service.current_model import CurrentTagger

Tickets = Sequence[tuple[str, str]]


def tag_in_bulk(store: Path, key: Path, batches: Iterable[Tickets], jobs: int | None = None) -> Iterator[list[Tag]]:
    """Tags of each batch, in order, with the model that serves from ``store``; ``jobs`` defaults to the cores."""
    work = (delayed(_tag)(str(store), str(key), batch) for batch in batches)
    parallel = Parallel(n_jobs=jobs or cores_at_hand(), backend="loky", return_as="generator", pre_dispatch="2*n_jobs")
    yield from parallel(work)


def _tag(store: str, key: str, batch: Tickets) -> list[Tag]:
    return _tagger(store, key).tag_many(batch)


@cache
def _tagger(store: str, key: str) -> CurrentTagger:
    """The worker's own tagger, opened once."""
    return CurrentTagger(Registry(Path(store)), Path(key), UniversalEncoder(threads=1), starter_taxonomy(), 1)
