"""How passages and scopes look to Chroma."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kb.articles import Audience, Passage
from kb.content import ANY_MARKETPLACE
from kb.scope import Scope

COLLECTION = "passages"
# HNSW reads this many candidates per query; at Chroma's default of 100 filtered searches lose passages.
_EF_SEARCH = 400
_M_PERTURB = -6


class ChromaUrlError(ValueError):
    """The address of a Chroma server cannot be used; the message says why."""


def open_client(folder: Path) -> Any:
    """Chroma on ``folder``, telemetry off. Imported late, because Chroma takes a second to import."""
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def connect(url: str) -> Any:
    """A client of the `chroma` server at ``url`` (``http[s]://host[:port]``), telemetry off.

    Raises `ChromaUrlError` for another kind of address, and what Chroma raises where no server answers.
    """
    import chromadb
    from chromadb.config import Settings

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.username:
        raise ChromaUrlError(f"'{url}' is not the address of a server; write http://host:port")
    secure = parts.scheme == "https"
    try:
        port = parts.port or (443 if secure else 8000)
    except ValueError as error:
        raise ChromaUrlError(f"'{url}' has no usable port; write http://host:port") from error
    settings = Settings(anonymized_telemetry=False)
    return chromadb.HttpClient(host=parts.hostname, port=port, ssl=secure, settings=settings)


def disconnect(client: Any) -> None:
    """Close a client that `connect` made."""
    client.close()
    # Chroma 1.5.9 leaves the HTTP sessions of a client and of its admin client open.
    for side in (client, client._admin_client):
        side._server._session.close()


@contextmanager
def clean_memory() -> Iterator[None]:
    """Memory that is asked for meanwhile is filled before use (`mallopt(3)`, M_PERTURB; does nothing without glibc).

    Chroma writes its vector file at full length at once, and what nobody filled carries whatever the process held
    there before: ids of deleted passages were found in 4 of 25 fresh indexes.
    """
    # Elsewhere there may be no "own process" to load, as on Windows.
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if set_option is None:
        yield
        return
    set_option(_M_PERTURB, 255)
    try:
        yield
    finally:
        set_option(_M_PERTURB, 0)


def new_collection(client: Any, name: str, metadata: dict[str, Any] | None = None) -> Any:
    """An empty collection for passages whose vectors are passed in, compared by cosine."""
    return client.create_collection(
        name,
        embedding_function=None,
        metadata=metadata,
        configuration={"hnsw": {"space": "cosine", "ef_search": _EF_SEARCH, "ef_construction": 200}},
    )


def chroma_error() -> type[Exception]:
    """The base of what Chroma raises."""
    from chromadb.errors import ChromaError

    error: type[Exception] = ChromaError
    return error


def index_errors() -> tuple[type[Exception], ...]:
    """What Chroma, the connection to its server and its folder raise; a `ValueError` where a client cannot be made."""
    import httpx

    return chroma_error(), httpx.HTTPError, OSError, ValueError


def metadata_of(passage: Passage) -> dict[str, str | bool]:
    """What Chroma can filter a passage by."""
    return {
        "locale": passage.locale,
        "audience": passage.audience.value,
        "reason": passage.reason,
        **{f"on_{marketplace}": True for marketplace in passage.marketplace},
    }


def where_clause(scope: Scope) -> dict[str, Any]:
    """``scope`` as Chroma's filter."""
    conditions: list[dict[str, Any]] = [{"locale": scope.locale}]
    if scope.audience is Audience.CUSTOMER:
        conditions.append({"audience": Audience.CUSTOMER.value})
    if scope.marketplace is not None:
        conditions.append({"$or": [{f"on_{ANY_MARKETPLACE}": True}, {f"on_{scope.marketplace}": True}]})
    return {"$and": conditions} if len(conditions) > 1 else conditions[0]
