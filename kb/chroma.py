"""How passages and scopes look to Chroma."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kb.articles import Audience, Passage
from kb.content import ANY_MARKETPLACE
from kb.scope import Scope


def open_client(folder: Path) -> Any:
    """Chroma on ``folder``, telemetry off. Imported late, because Chroma takes a second to import."""
    import chromadb
    from chromadb.config import Settings

    return chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))


def chroma_error() -> type[Exception]:
    """The base of what Chroma raises."""
    from chromadb.errors import ChromaError

    error: type[Exception] = ChromaError
    return error


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
