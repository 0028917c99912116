"""The database of the desk: SQLite by default, PostgreSQL in production, migrated by Alembic when opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

from desk import DeskError
from desk.ledger import FOLLOWERS, Follower, rebuild_states
from desk.writer import GroupWriter, WriterError

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
URL_REMEDY = "use sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/NAME"
BUSY_TIMEOUT_MS = 15_000  # longer than the longest import batch on a slow disk
CONNECT_TIMEOUT_S = 5
KEPT_CONNECTIONS = 10
"""Of a process to PostgreSQL, and ten more while many work at once: four processes stay below its default of 100."""
MIGRATION_LOCK = 7_246_301  # any constant: one advisory lock per PostgreSQL database while migrating


class DatabaseError(DeskError):
    """The database cannot be used; the message names the cause and the remedy, never a password or a text."""


class Database:
    """An open, migrated database.

    Make one with `open_database`; share it between threads; `close` it at the end.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        options: dict[str, Any] = {"desk_read_only": True}
        if engine.dialect.name == "postgresql":
            options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        self._readers = engine.execution_options(**options)
        self._writer = GroupWriter(self.session) if engine.dialect.name == "sqlite" else None

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        A writing session takes SQLite's write lock at its start, so it never fails half-way on a lock; a
        ``read_only`` one sees a single consistent state and cannot write. Raises `DatabaseError` when the
        database is gone, locked for too long, full or read-only.
        """
        bind = self._readers if read_only else self.engine
        with self._usable(), Session(bind, expire_on_commit=False) as session, session.begin():
            session.connection()  # begins now, not at the first statement
            yield session

    def write(self, act: Callable[[Session], T]) -> T:
        """Run ``act`` in a transaction and return what it returned, once that is on disk.

        On SQLite acts that wait at the same time share a transaction (`GroupWriter`); one that raises is undone alone.
        Do not call it while this thread holds a writing `session`. Raises as `session` does.
        """
        if self._writer is None:
            with self.session() as session:
                return act(session)

        def told(session: Session) -> T:
            with self._usable():
                return act(session)

        try:
            return self._writer.write(told)
        except WriterError as error:
            raise DatabaseError(str(error)) from error

    def follow(self, name: str, follower: Follower) -> None:
        """Have ``follower`` keep something in step with the ledger, in the same transactions; one of each ``name``."""
        self.engine.update_execution_options(**{FOLLOWERS: {**self.followers, name: follower}})

    @property
    def followers(self) -> Mapping[str, Follower]:
        """What is kept in step with the ledger, by name."""
        followers: Mapping[str, Follower] = self.engine.get_execution_options().get(FOLLOWERS, {})
        return followers

    def close(self) -> None:
        """Finish the writes that wait and give back every connection."""
        if self._writer is not None:
            self._writer.close()
        self.engine.dispose()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
            raise _unusable(self.engine.url, error) from error


def open_database(url: str, *, migrate: bool = True) -> Database:
    """Open the database at ``url`` and bring its tables to this version.

    With ``migrate=False`` nothing is changed, and a database that is not at this version's revision is
    refused. Raises `DatabaseError` for a wrong URL, an unreachable server, or a database of a newer
    version.
    """
    parsed = _parse(url)
    engine = _engine(parsed)
    try:
        with engine.begin() as connection:
            if migrate and connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            _bring_to_head(connection, migrate=migrate)
    except sa.exc.SQLAlchemyError as error:
        engine.dispose()
        raise _unusable(parsed, error) from error
    except DatabaseError:
        engine.dispose()
        raise
    return Database(engine)


def alembic_config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration for the packaged migrations, bound to ``connection``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _bring_to_head(connection: sa.Connection, *, migrate: bool) -> None:
    config = alembic_config(connection)
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return
    shown = _shown(connection.engine.url)
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise DatabaseError(
            f"{shown} is at revision {current}, which this version of paretodesk does not know (its newest "
            f"is {head}): upgrade paretodesk, or restore a backup from before the newer version"
        )
    if not migrate:
        raise DatabaseError(
            f"{shown} is at revision {current or 'none (empty)'}, this version needs {head}: "
            "open it once with migrations on"
        )
    command.upgrade(config, "head")
    with Session(connection) as session:
        rebuild_states(session)  # columns that this version added are a fold of the events, too
        session.flush()


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseError(f"the database URL cannot be read; {URL_REMEDY}") from error
    backend = parsed.drivername.split("+")[0]
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise DatabaseError(f"the database URL names {parsed.drivername!r}, which is not supported; {URL_REMEDY}")
    if parsed.database in (None, "", ":memory:"):
        raise DatabaseError(f"a SQLite database must be a file, or its tickets would be lost; {URL_REMEDY}")
    return parsed.set(drivername="sqlite")


def _engine(url: sa.URL) -> sa.Engine:
    # hide_parameters: statement parameters hold customers' texts, and errors end up in logs
    if url.drivername == "sqlite":
        _make_folder(url)
        engine = sa.create_engine(url, hide_parameters=True)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    try:
        return sa.create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=KEPT_CONNECTIONS, connect_args=timeout
        )
    except (sa.exc.ArgumentError, ImportError) as error:
        raise _unusable(url, error) from error


def _make_folder(url: sa.URL) -> None:
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"cannot make the folder {folder} of the database: {error.strerror}") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    read_only = connection.get_execution_options().get("desk_read_only", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _shown(url: sa.URL) -> str:
    return f"database {url.set(query={}).render_as_string(hide_password=True)}"


def _unusable(url: sa.URL, error: Exception) -> DatabaseError:
    cause = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    text = cause[0]
    if "already exists" in text:
        remedy = "it holds tables of another program: give paretodesk a database or a schema of its own"
    elif url.drivername == "sqlite":
        remedy = "check the path, its rights and free space, and that no other process holds it locked"
    else:
        remedy = "check that the server runs, and the host, port, user and database name in the URL"
    return DatabaseError(f"{_shown(url)} cannot be used: {text}; {remedy}")
