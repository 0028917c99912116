"""Group commit: one thread writes for all others, many acts to one transaction and one wait for the disk.

SQLite has one writer at a time, and `synchronous=FULL` makes each commit wait for the disk. When forty requests write
at once, forty commits would queue for both; here they share one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from desk import DeskError

T = TypeVar("T")

MAX_GROUP = 128
"""Acts to a transaction; at about 0.5 ms an act the last one waits for less than 0.1 s."""


class WriterError(DeskError):
    """An act was not written: its whole group failed, or the writer is closed. Nothing of the act is stored."""


@dataclass(slots=True)
class _Asked:
    """An act that waits for its turn; ``told`` wakes its caller."""

    act: Callable[[Session], Any]
    told: Future[Any] = field(default_factory=Future)
    result: Any = None
    problem: Exception | None = None


class GroupWriter:
    """Runs acts in the order in which they came, those that wait together in one transaction.

    ``transaction`` gives a session whose transaction is committed when the block ends. Each act runs in a savepoint:
    one that raises is rolled back alone. An act must not commit or roll back by itself, and must not call `write`.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction
        self._waiting: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._entry = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.groups = 0
        """Transactions so far, for measurements."""

    def write(self, act: Callable[[Session], T]) -> T:
        """Have ``act`` run and committed, and return what it returned. Its own exceptions come out here.

        Raises `WriterError` when the group could not be begun or committed, and when the writer is closed.
        """
        if threading.current_thread() is self._thread:
            raise WriterError("an act that is being written cannot ask for another write; use the session it was given")
        asked = _Asked(act)
        with self._entry:
            if self._closed:
                raise WriterError("the database is closed; nothing more can be written")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="database writer", daemon=True)
                self._thread.start()
            self._waiting.put(asked)
        result: T = asked.told.result()
        return result

    def close(self) -> None:
        """Write what waits, then stop. Further writes are refused."""
        with self._entry:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, last = [first], False
            while len(group) < MAX_GROUP and not last:
                try:
                    asked = self._waiting.get_nowait()
                except queue.Empty:
                    break
                last = asked is None
                group += [asked] if asked else []
            self._write(group)
            if last:
                return

    def _write(self, group: list[_Asked]) -> None:
        failure: Exception | None = None
        try:
            with self._transaction() as session:
                for asked in group:
                    _run(session, asked)
        except Exception as error:  # noqa: BLE001  # whatever it is, the callers must hear of it and the thread go on
            failure = error
        self.groups += 1
        for asked in group:
            if asked.problem is not None:
                asked.told.set_exception(asked.problem)
            elif failure is not None:
                told = WriterError(f"not stored, because the writes of this moment failed together: {failure}")
                told.__cause__ = failure
                asked.told.set_exception(told)
            else:
                asked.told.set_result(asked.result)


def _run(session: Session, asked: _Asked) -> None:
    try:
        with session.begin_nested():
            asked.result = _acted(session, asked)
    except Exception as error:  # noqa: BLE001  # it belongs to the caller of this act, not to the group
        # where SQLite has ended the transaction, leaving the savepoint fails too and says less than the first error
        asked.problem = asked.problem or error
    if not _in_transaction(session):
        # SQLite ends the whole transaction by itself on some errors (disk full, ON CONFLICT ROLLBACK), and committing
        # then "succeeds" without effect: the earlier acts of the group are gone and must be told so.
        raise WriterError(f"the transaction was ended half-way ({type(asked.problem).__name__}); try again")


def _acted(session: Session, asked: _Asked) -> Any:
    try:
        return asked.act(session)
    except Exception as error:
        asked.problem = error
        raise


def _in_transaction(session: Session) -> bool:
    return session.in_transaction() and bool(getattr(session.connection().connection, "in_transaction", True))
