"""The index of articles as the service uses it: opened at start, filled beside the service where that takes long."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from classifier.encoders import Encoder
from kb.index import IndexLockedError, KnowledgeIndex, KnowledgeIndexError
from kb.knowledge import KnowledgeBase
from service.console_output import note
from service.settings import Settings

log = logging.getLogger("paretodesk.service")

# Some ten seconds of encoding; a start that would take longer begins with search by words.
_AT_START = 2_000


class _StoppedError(Exception):
    """The service ends while its index is being filled."""


def open_index(settings: Settings, encoder: Encoder, *, verify: bool = False) -> KnowledgeIndex:
    """The index in force: on the Chroma server where one is set, else in the home folder; see `KnowledgeIndex.open`.

    Raises `KnowledgeIndexError`.
    """
    if settings.chroma_url:
        return KnowledgeIndex.connect(settings.chroma_url, encoder)
    return KnowledgeIndex.open(settings.index, encoder, verify=verify)


@contextmanager
def own_index(settings: Settings, encoder: Encoder, knowledge: KnowledgeBase) -> Iterator[KnowledgeIndex]:
    """``knowledge`` in step with its index, for a command; a copy made for the moment while a service owns the folder.

    Raises `KnowledgeIndexError`.
    """
    with ExitStack() as stack:
        try:
            index = stack.enter_context(open_index(settings, encoder))
        except IndexLockedError:
            note("the index is in use by a running service; searching in a copy made now")
            copy = stack.enter_context(TemporaryDirectory())
            index = stack.enter_context(KnowledgeIndex.open(Path(copy), encoder))
        knowledge.sync(index)
        yield index


class ArticleSearch:
    """Keeps ``knowledge`` searchable: by words alone until, and wherever, its index cannot be used."""

    def __init__(self, settings: Settings, encoder: Encoder, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge
        self._index: KnowledgeIndex | None = None
        self._filling: threading.Thread | None = None
        self._stop = threading.Event()
        self.problem: str | None = None
        """Why search is worse than it could be; None where it is not."""
        try:
            self._index = open_index(settings, encoder)
            if (missing := self._index.missing(knowledge.passages)) <= _AT_START:
                knowledge.sync(self._index)
                return
            self.problem = f"{missing} passages are being indexed; until then articles are searched by words alone"
            self._filling = threading.Thread(target=self._fill, args=(self._index,), name="indexing", daemon=True)
        except KnowledgeIndexError as error:
            self._fail(error)
        knowledge.search_by_words()
        if self._filling:
            self._filling.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        if self._filling:
            self._filling.join()
        if self._index:
            self._index.close()

    def _fill(self, index: KnowledgeIndex) -> None:
        try:
            self._knowledge.sync(index, self._go_on)
        except _StoppedError:
            return
        except KnowledgeIndexError as error:
            self._fail(error)
        else:
            self.problem = None

    def _go_on(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise _StoppedError

    def _fail(self, error: KnowledgeIndexError) -> None:
        log.error("articles are searched by words alone: %s", error)
        self.problem = f"articles are searched by words alone: {error}"
