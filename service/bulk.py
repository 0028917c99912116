"""Many tickets at once, through joblib: one process per core of this machine, or the workers of a Dask cluster.

Two processes of one thread tag more than one process of two: half of the work is Python, and BLAS threads that wait
for each other lose most on a machine that does something else besides.

ClusterError
    └── the cluster cannot be reached, has no worker, or its workers have another version of paretodesk
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

from classifier.encoders import UniversalEncoder, cores_at_hand, encoder_by_name
from classifier.guard import starter_guard
from classifier.language import language_identifier
from classifier.model import ReasonModel, encoder_name
from classifier.tagger import Tag, Tagger
from classifier.taxonomy import starter_taxonomy
from models.bundle import BundleMissingError
from models.registry import Registry
from models.signing import SigningKey
from service.current_model import CurrentTagger
from training.retraining import REASONS_MODEL

Tickets = Sequence[tuple[str, str]]

REACHED_WITHIN = 10
"""Seconds in which a cluster's scheduler must answer, and a worker must be there."""


class ClusterError(Exception):
    """The work cannot be done on this cluster; the message says why and what to do."""


@dataclass(frozen=True)
class StoredModel:
    """The model that serves from a store on this machine; each process opens and verifies it for itself."""

    store: str
    key: str

    def open(self) -> Tagger:
        """The tagger with the model, or without one where none opens: then every ticket is undecided."""
        return CurrentTagger(
            Registry(Path(self.store)), Path(self.key), UniversalEncoder(threads=1), starter_taxonomy(), 1
        ).tagger


@dataclass(frozen=True)
class ShippedModel:
    """The bytes of a model that was verified here, for workers that see neither the store nor its key."""

    model_id: str
    files: Mapping[str, bytes]

    def __hash__(self) -> int:
        return hash(self.model_id)

    def open(self) -> Tagger:
        """The tagger with the model."""
        model = ReasonModel.from_files(self.files, encoder_by_name(encoder_name(self.files), 1))
        return Tagger(starter_taxonomy(), starter_guard(), language_identifier(), model, self.model_id)


def serving_model(store: Path, key: Path) -> ShippedModel:
    """The model that serves, verified. Raises `BundleError` and `SigningError`."""
    registry = Registry(store)
    champion = registry.champion(REASONS_MODEL)
    if champion is None:
        raise BundleMissingError(f"no model has been promoted in {store}; run 'paretodesk train'")
    bundle = registry.read(REASONS_MODEL, SigningKey.read(key), champion.version)
    return ShippedModel(f"{REASONS_MODEL}/{champion.version}", bundle.files)


def tag_in_bulk(
    store: Path, key: Path, batches: Iterable[Tickets], jobs: int | None = None, cluster: str | None = None
) -> Iterator[list[Tag]]:
    """Tags of each batch, in order, with the model that serves from ``store``, few batches ahead of the reader.

    ``jobs`` defaults to the cores of this machine. With ``cluster``, the address of a Dask scheduler, its workers do
    the work and get the model from here. Raises `ClusterError`, and for a cluster `BundleError`.
    """
    if cluster is None:
        source: StoredModel | ShippedModel = StoredModel(str(store), str(key))
        backend: AbstractContextManager[None] = nullcontext()
        wide: dict[str, Any] = {"n_jobs": jobs or cores_at_hand(), "backend": "loky"}
    else:
        source = serving_model(store, key)
        backend, wide = on_cluster(cluster, [source]), {"n_jobs": -1}
    with backend:
        work = (delayed(_tag)(source, batch) for batch in batches)
        yield from Parallel(return_as="generator", pre_dispatch="2*n_jobs", batch_size=1, **wide)(work)


@contextmanager
def on_cluster(address: str, shared: Sequence[Any] = ()) -> Iterator[None]:
    """Have joblib use the workers of the Dask scheduler at ``address``; ``shared`` is sent to each worker once.

    Raises `ClusterError`.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterError("--cluster needs Dask: pip install 'paretodesk[cluster]'") from error
    try:
        client: Any = Client(address, timeout=REACHED_WITHIN, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: start one with 'dask scheduler'") from error
    with client:
        _check_workers(client, address)
        with parallel_config(backend="dask", client=client, scatter=list(shared)):
            yield


def _check_workers(client: Any, address: str) -> None:
    """Another version would tag by other rules, and nobody would see it."""
    ours = version("paretodesk")
    try:
        client.wait_for_workers(1, timeout=REACHED_WITHIN)
    except TimeoutError as error:
        raise ClusterError(f"the scheduler at {address} has no worker: 'dask worker {address} --nthreads 1'") from error
    found = client.run(_version_here, on_error="return")
    for worker, theirs in sorted(found.items()):
        if isinstance(theirs, Exception):
            raise ClusterError(f"worker {worker} cannot run paretodesk: install paretodesk[cluster]=={ours} there")
        if theirs != ours:
            raise ClusterError(f"worker {worker} has paretodesk {theirs}, this is {ours}: install the same version")


def _version_here() -> str:
    return version("paretodesk")


def _tag(source: StoredModel | ShippedModel, batch: Tickets) -> list[Tag]:
    return _opened(source).tag_many(batch)


@cache
def _opened(source: StoredModel | ShippedModel) -> Tagger:
    """The worker's own tagger, opened once."""
    return source.open()
