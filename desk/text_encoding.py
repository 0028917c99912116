"""Which encoding a file is in; bytes that do not fit it are marked, so that only their rows are refused."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from charset_normalizer import from_bytes

from desk import DeskError

UNDECODABLE_HANDLER: Final = "paretodesk.undecodable"
UNDECODABLE = re.compile("[\udc00-\udcff]")  # each stands for one byte, 0x00 to 0xFF
CHUNK = 1 << 20
SAMPLE = 1 << 16
MAX_NUL_SHARE = 0.001  # of a sample; text has none, except for a damaged row now and then
FEW_NULS = 3
# Western and central European encodings that exporters write, and the East Asian ones of marketplace tools
GUESSES = ["cp1252", "cp1250", "cp1251", "iso8859_15", "mac_roman", "cp932", "gb18030", "big5"]
MAGIC = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3\x00": "a SQLite database",
}
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class TableError(DeskError):
    """A file cannot be read as a table of text; nothing of it was loaded."""


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """The codec's name, and what to tell the reader when it was not plain UTF-8."""

    name: str
    notice: str | None = None


def mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: each bad byte becomes a surrogate that `UNDECODABLE` finds."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(UNDECODABLE_HANDLER, mark_undecodable)


def detect_encoding(path: Path, given: str | None = None) -> TextEncoding:
    """UTF-8 where it fits, else a guess that is said; ``given`` overrules.

    Raises `TableError` for a missing, empty or binary file and for an unknown ``given``.
    """
    sample = _sample(path)
    if given is not None:
        return TextEncoding(_known(given))
    for bom, name in BOMS.items():
        if sample.startswith(bom):
            return TextEncoding(name)
    if sample.count(0) > max(FEW_NULS, MAX_NUL_SHARE * len(sample)):
        return _wide_or_binary(path, sample)
    return _utf8_or_guess(path)


def show_bytes(text: str) -> str:
    """``text`` with marked bytes written as ``\\xNN``."""
    return UNDECODABLE.sub(lambda match: f"\\x{ord(match.group()) - 0xDC00:02x}", text)


def _sample(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE)
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such file") from error
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from error
    for magic, what in MAGIC.items():
        if sample.startswith(magic):
            raise TableError(f"{path}: is {what}, not a table of text: export it as CSV (UTF-8) and import that")
    if not sample.strip(b"\xef\xbb\xbf\xfe\xff \t\r\n"):
        raise TableError(f"{path}: is empty: export it again, with a header line")
    return sample


def _known(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:  # ValueError: a NUL in the name
        raise TableError(f"{name!r} is not a text encoding: use for example utf-8, cp1252 or utf-16") from error
    return name


def _wide_or_binary(path: Path, sample: bytes) -> TextEncoding:
    """UTF-16 without a mark has NULs at every second place, on one side only; anything else is binary."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) > 0.3 * len(sample) / 2 and min(even, odd) <= 0.05 * max(even, odd):
        name = "utf-16-le" if odd > even else "utf-16-be"
        return TextEncoding(name, f"{path.name}: has no encoding mark, read as {name}")
    raise TableError(
        f"{path}: looks binary ({sample.count(0):,} NUL bytes in its first {len(sample):,}): "
        "export it as CSV (UTF-8) and import that"
    )


def _utf8_or_guess(path: Path) -> TextEncoding:
    good, bad, strange = 0, 0, []
    decoder = codecs.getincrementaldecoder("utf-8")(UNDECODABLE_HANDLER)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = decoder.decode(chunk)
            good += len(text) - len(text.encode("ascii", "ignore"))
            if marked := len(UNDECODABLE.findall(text)):
                good, bad = good - marked, bad + marked
                strange += [line for line in chunk.splitlines() if not line.isascii()][:500]
    bad += len(UNDECODABLE.findall(decoder.decode(b"", final=True)))
    if not bad:
        return TextEncoding("utf-8")
    if good >= bad:
        return TextEncoding("utf-8", f"{path.name}: {bad:,} bytes are not UTF-8; their rows are refused")
    name = _guess(b"\n".join(strange[:2000])[:SAMPLE])
    notice = f"{path.name}: is not UTF-8; read as {name}, which is a guess: check the accents, or give --encoding"
    return TextEncoding(name, notice)


def _guess(sample: bytes) -> str:
    matches = list(from_bytes(sample, cp_isolation=GUESSES))
    if not matches:
        return "cp1252"
    best = min(match.chaos for match in matches)
    likely = {
        name for match in matches if match.chaos <= best for name in (match.encoding, *match.could_be_from_charset)
    }
    return "cp1252" if "cp1252" in likely else matches[0].encoding
