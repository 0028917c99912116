"""Which column of a foreign export is which of our fields. Presets are data: `desk/presets/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, field_validator

from classifier.datafile import load_yaml
from desk import DeskError
from desk.tabular import column_key

PRESETS = Path(__file__).parent / "presets"
FIELDS = (
    "id", "subject", "body", "created_at", "channel", "marketplace", "language", "customer_email",
    "customer_name", "order_id", "asin", "carrier", "reason", "resolved_at", "first_reply_at", "agent",
    "csat", "handle_seconds", "macro",
)  # fmt: skip
REQUIRED = ("body",)
YEARS = range(1990, 2100)  # a ticket outside of these has a mistyped or misread date
EPOCH_DIGITS = {10: 1, 13: 1000}  # seconds, milliseconds


class MappingError(DeskError):
    """Columns and fields do not fit together.

    The message says what was found, what is wanted and the remedy.
    """


class ColumnMapping(BaseModel):
    """How one export is read.

    ``columns``: candidates per field, the first that the file has wins (case and separators do not matter).
    ``date_formats``: strptime formats tried after ISO 8601 and Unix time. ``timezone``: of dates without one.
    ``values``: per field, their word (any case) to ours; an empty one drops it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str = ""
    columns: dict[str, tuple[str, ...]]
    date_formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    values: dict[str, dict[str, str]] = {}

    @field_validator("columns", "values")
    @classmethod
    def _our_fields(cls, value: dict[str, object]) -> dict[str, object]:
        if unknown := sorted(set(value) - set(FIELDS)):
            raise ValueError(f"no such field: {', '.join(unknown)}; the fields are {', '.join(FIELDS)}")
        return value

    @field_validator("date_formats")
    @classmethod
    def _usable_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                datetime.strptime(datetime(2024, 2, 29, 13, 14, 15, tzinfo=UTC).strftime(text), text)
            except ValueError as error:
                raise ValueError(f"{text!r} is not a date format: {error}") from error
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        time_zone(value)
        return value

    def with_columns(self, columns: Mapping[str, str]) -> ColumnMapping:
        """The mapping with ``columns`` (field to column name) in place of its candidates.

        Raises `MappingError`.
        """
        if unknown := sorted(set(columns) - set(FIELDS)):
            raise MappingError(f"--map {unknown[0]}=...: no such field; the fields are {', '.join(FIELDS)}")
        return self.model_copy(update={"columns": self.columns | {f: (c,) for f, c in columns.items()}})

    def with_date_formats(self, formats: Sequence[str], timezone: str | None = None) -> ColumnMapping:
        """The mapping that tries only ``formats`` after ISO 8601.

        Raises `MappingError` for an unusable one.
        """
        changed = {"date_formats": tuple(formats) or self.date_formats, "timezone": timezone or self.timezone}
        try:
            return ColumnMapping.model_validate(self.model_dump() | changed)
        except ValueError as error:
            raise MappingError(f"--date-format or --timezone: {error}") from error

    @property
    def known_columns(self) -> frozenset[str]:
        """Every candidate."""
        return frozenset(name for names in self.columns.values() for name in names)

    def resolve(self, found: Sequence[str], asked: Mapping[str, str], file: Path) -> dict[str, str]:
        """Field to the column of this file. The fields of ``asked``, which the user mapped, must be there.

        Raises `MappingError`, listing the columns found and those wanted, with the remedy.
        """
        by_key: dict[str, str] = {}
        for column in found:
            by_key.setdefault(column_key(column), column)
        chosen = {
            field: by_key[column_key(candidate)]
            for field, candidates in self.columns.items()
            for candidate in reversed(candidates)
            if column_key(candidate) in by_key
        }
        columns = ", ".join(found) or "none"
        for field, column in asked.items():
            if field not in chosen:
                raise MappingError(f"{file}: --map {field}={column}: no such column; found: {columns}")
        for field in REQUIRED:
            if field not in chosen:
                wanted = ", ".join(self.columns.get(field, ())) or field
                example = found[-1] if found else "Text"
                raise MappingError(
                    f"{file}: no column for the required field {field!r}. Found: {columns}. "
                    f'Wanted one of: {wanted}. Say which it is, for example: --map "{field}={example}"'
                )
        return chosen

    def moment(self, text: str) -> datetime:
        """The UTC moment that ``text`` names. Raises ValueError with what was wrong and the remedy."""
        moment = self._parse(text.strip())
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=time_zone(self.timezone))
        if zoned.year not in YEARS:
            raise ValueError(f"the year {zoned.year} is outside {YEARS.start}-{YEARS.stop - 1}")
        return zoned.astimezone(UTC)

    def value(self, field: str, text: str) -> str:
        """Our word for theirs."""
        words = self.values.get(field)
        if not words:
            return text
        return {theirs.casefold(): ours for theirs, ours in words.items()}.get(text.casefold(), text)

    def _parse(self, text: str) -> datetime:
        if text.isascii() and text.isdigit() and len(text) in EPOCH_DIGITS:
            return datetime.fromtimestamp(int(text) / EPOCH_DIGITS[len(text)], tz=UTC)
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
        for pattern in self.date_formats:
            try:
                return datetime.strptime(text, pattern)
            except ValueError:
                continue
        raise ValueError(
            f"{text[:40]!r} is not a date that this preset reads: give --date-format, e.g. '%d/%m/%Y %H:%M'"
        )


def preset_names() -> tuple[str, ...]:
    """The shipped presets."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


def load_preset(name: str) -> ColumnMapping:
    """A shipped preset by name, or a mapping file by its path. Raises `MappingError`, `DataFileError`."""
    if name in preset_names():
        return load_yaml(PRESETS / f"{name}.yaml", ColumnMapping)
    if Path(name).suffix in (".yaml", ".yml"):
        return load_yaml(Path(name), ColumnMapping)
    raise MappingError(f"there is no preset {name!r}; use one of {', '.join(preset_names())}, or a .yaml file")


def time_zone(name: str) -> tzinfo:
    """The time zone of this IANA name. Raises `ValueError`."""
    if name.upper() == "UTC":
        return UTC  # needs no time zone database, which slim images lack
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone: use a name such as Europe/Paris") from error
