"""Import of foreign tickets.

Good rows are loaded, bad rows go to a rejects file, and doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from desk.inbox import Desk
from desk.ledger import Event, EventKind
from desk.mapping import ColumnMapping, load_preset
from desk.rejects import RejectsFile, rejects_path_for
from desk.tabular import Table, open_table
from desk.tagging import Tagger, TaggerUnavailableError
from desk.ticket import MAX_SOURCE, UNKNOWN_CHANNEL, IncomingTicket
from desk.ticket_rows import RowReader, RowRefusedError

BATCH = 500  # rows per transaction


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is: ``bytes_done`` of ``bytes_total``, and the rows so far."""

    bytes_done: int
    bytes_total: int
    read: int
    imported: int
    duplicates: int
    rejected: int
    tagged: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did: ``read == imported + duplicates + rejected``.

    ``tagged`` counts the imported tickets that the tagger saw. ``rejects_file`` is None when nothing was
    refused. ``notices`` are for the reader: a guessed encoding, missing dates, an unavailable tagger.
    """

    read: int
    imported: int
    duplicates: int
    rejected: int
    tagged: int
    rejects_file: Path | None
    notices: tuple[str, ...]


def import_file(
    desk: Desk,
    path: Path,
    preset: str | ColumnMapping = "generic",
    *,
    columns: Mapping[str, str] | None = None,
    channel: str | None = None,
    marketplace: str | None = None,
    source: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    tagger: Tagger | None = None,
    progress: Callable[[ImportProgress], None] | None = None,
    rejects_path: Path | None = None,
) -> ImportResult:
    """Load a CSV or JSON Lines file or a workbook of tickets; ``sheet`` names the workbook's, see `open_table`.

    ``columns`` overrides the preset, field to column name (``--map body=Text``). ``channel`` and
    ``marketplace`` stand in where a row names none. ``source`` tells exports of different systems apart
    whose ids overlap; it defaults to the preset's name and ``channel``. Without a ``tagger``, or when it is
    unavailable, tickets wait as undecided. ``progress`` is called after each batch.

    Raises `TableError` or `MappingError` before anything is loaded, and `DatabaseError` at any time: batches
    before it stay, and importing again continues.
    """
    mapping = load_preset(preset) if isinstance(preset, str) else preset
    asked = dict(columns or {})
    mapping = mapping.with_columns(asked)
    table = open_table(path, encoding=encoding, known_columns=mapping.known_columns, sheet=sheet)
    resolved = mapping.resolve(table.columns, asked, path)
    reader = RowReader(
        mapping=mapping,
        columns=resolved,
        taxonomy=desk.taxonomy,
        source=source or ":".join([mapping.name, *([channel] if channel else [])])[:MAX_SOURCE],
        channel=channel or UNKNOWN_CHANNEL,
        marketplace=marketplace,
    )
    with RejectsFile(rejects_path or rejects_path_for(path), path) as rejects:
        run = _Run(desk, table, rejects, tagger, progress)
        if "created_at" not in resolved:
            run.notices.append(
                f"{path.name}: has no column with dates; its tickets are dated now (--map created_at=...)"
            )
        run.load(reader)
    return run.result()


@dataclass(slots=True)
class _Run:
    """One import under way."""

    desk: Desk
    table: Table
    rejects: RejectsFile
    tagger: Tagger | None
    progress: Callable[[ImportProgress], None] | None
    read: int = 0
    imported: int = 0
    duplicates: int = 0
    differing: int = 0
    tagged: int = 0
    notices: list[str] = field(default_factory=list)

    def load(self, reader: RowReader) -> None:
        batch: list[tuple[IncomingTicket, list[Event]]] = []
        for row in self.table.rows():
            self.read += 1
            if row.problem is not None:
                self.rejects.add(row, row.problem)
            else:
                try:
                    batch.append(reader.ticket(row))
                except RowRefusedError as refusal:
                    self.rejects.add(row, refusal.problem)
            if len(batch) >= BATCH or self.read % BATCH == 0:
                self._store(batch)
                batch = []
        self._store(batch)

    def _store(self, batch: Sequence[tuple[IncomingTicket, list[Event]]]) -> None:
        answers = self.desk.receive_many(batch) if batch else []
        self.duplicates += sum(answer.duplicate for answer in answers)
        self.differing += sum(answer.differs for answer in answers)
        self.imported += sum(not answer.duplicate for answer in answers)
        fresh = {
            answer.ticket_id: (ticket.subject, ticket.body)
            for answer, (ticket, past) in zip(answers, batch, strict=True)
            if not answer.duplicate and not any(fact.kind is EventKind.TAG_CONFIRMED for fact in past)
        }
        self._tag(fresh)
        if self.progress:
            self.progress(self._progress())

    def _tag(self, fresh: Mapping[str, tuple[str, str]]) -> None:
        if self.tagger is None or not fresh:
            return
        try:
            tags = self.tagger.tag_many(list(fresh.values()))
        except TaggerUnavailableError as error:
            self.notices.append(f"tickets wait as undecided, because the tagger is unavailable: {error}")
            self.tagger = None
            return
        self.desk.tag_many(dict(zip(fresh, tags, strict=True)))
        self.tagged += len(fresh)

    def _progress(self) -> ImportProgress:
        return ImportProgress(
            bytes_done=self.table.bytes_read,
            bytes_total=self.table.size,
            read=self.read,
            imported=self.imported,
            duplicates=self.duplicates,
            rejected=self.rejects.count,
            tagged=self.tagged,
        )

    def result(self) -> ImportResult:
        notices = [*self.table.notices, *self.notices]
        if self.differing:
            notices.append(
                f"{self.differing:,} duplicates have the id of a stored ticket but another text; if they "
                "come from another system, import again with a name for it: --source NAME"
            )
        return ImportResult(
            read=self.read,
            imported=self.imported,
            duplicates=self.duplicates,
            rejected=self.rejects.count,
            tagged=self.tagged,
            rejects_file=self.rejects.path if self.rejects.count else None,
            notices=tuple(notices),
        )
