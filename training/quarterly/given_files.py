"""What other commands measured, read from the JSON that they print: shift, emerging reasons, label audit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from classifier.redaction import redact
from training.emerging.report import EVIDENT
from training.emerging.tracking import Tracker
from training.quarterly.contents import Emerging, Moved, Movement, QuarterlyError

Read = TypeVar("Read")

SHOWN_EXAMPLES = 2
SHOWN_TERMS = 4
LONGEST_EXAMPLE = 160


@dataclass(frozen=True)
class AuditCounts:
    """What a label audit found."""

    n: int
    suspicious: int
    contradictions: int


@dataclass(frozen=True)
class Given:
    """Files that were named; None where none was."""

    movement: Movement | None = None
    emerging: tuple[Emerging, ...] | None = None
    audit: AuditCounts | None = None


def read_given(
    shift: Path | None,
    emerging: Path | None,
    labels: Path | None,
    start: date,
    end: date,
    name_of: Callable[[str], str],
) -> Given:
    """Read the files that are named; ``start`` and ``end`` are the report's quarter. Raises `QuarterlyError`."""
    return Given(
        _read(shift, "--shift", "shift", lambda data: _movement(data, start, end, name_of)) if shift else None,
        _read(emerging, "--emerging", "reasons emerging", lambda data: _emerging(data, start, end, name_of))
        if emerging
        else None,
        _read(labels, "--labels", "labels audit", _audit) if labels else None,
    )


def tracked_emerging(home: Path, start: date, end: date) -> tuple[Emerging, ...] | None:
    """The clusters that `paretodesk reasons emerging` has seen in days of the quarter, by their words alone.

    None where it has seen none. Raises `EmergingError` when its file cannot be read.
    """
    found = []
    for reason in Tracker(home).tracked():
        seen = [one for one in reason.sightings if one.last >= start and one.first < end]
        if seen:
            newest = max(seen, key=lambda one: one.last)
            name = ", ".join(reason.terms[:SHOWN_TERMS]) or reason.id
            found.append(Emerging(reason.id, name, newest.size, newest.score >= EVIDENT, None, None, ()))
    return tuple(sorted(found, key=lambda one: -one.tickets)) or None


def _read(path: Path, option: str, command: str, understand: Callable[[Any], Read]) -> Read:
    """What ``understand`` makes of a JSON file; whatever does not fit is told with the file's name."""
    hint = f"give what `paretodesk {command} --json` prints"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return understand(data)
    except FileNotFoundError as error:
        raise QuarterlyError(f"{option} {path}: no such file; {hint}") from error
    except OSError as error:
        raise QuarterlyError(f"{option} {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        if isinstance(error, QuarterlyError):
            raise QuarterlyError(f"{option} {path}: {error}") from error
        raise QuarterlyError(f"{option} {path}: is not JSON ({error}); {hint}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise QuarterlyError(f"{option} {path}: does not have the expected fields ({error!r}); {hint}") from error


def _movement(data: Mapping[str, Any], start: date, end: date, name_of: Callable[[str], str]) -> Movement:
    current = data["current"]
    if (current["start"], current["end"]) != (start.isoformat(), end.isoformat()):
        raise QuarterlyError(
            f"compares {current['label']} ({current['start']} to {current['end']}), but the report is about {start} to "
            f"{end}; run `paretodesk shift` with --current for the report's quarter"
        )
    estimate = data.get("estimate")
    if estimate is None:
        why = data.get("estimate_missing") or "it has no estimate"
        raise QuarterlyError(f"holds no corrected estimate ({why}); leave the option out to compare counts")
    lines = [
        Moved(
            reason=line["reason"],
            name=name_of(line["reason"]),
            then=float(line["baseline"]["value"]),
            now=float(line["current"]["value"]),
            change=float(line["change"]),
            low=float(line["low"]),
            high=float(line["high"]),
            real=bool(line["real"]),
        )
        for line in estimate["reasons"]
    ]
    lines.sort(key=lambda line: -abs(line.change))
    alarms = tuple(str(alarm["message"]) for alarm in data.get("alarms", ()))
    return Movement(tuple(lines), corrected=True, alarms=alarms)


def _emerging(data: Mapping[str, Any], start: date, end: date, name_of: Callable[[str], str]) -> tuple[Emerging, ...]:
    first, last = date.fromisoformat(data["from"]), date.fromisoformat(data["to"])
    if last < start or first >= end:
        raise QuarterlyError(
            f"is about {first} to {last}, but the report is about {start} to {end}; run `paretodesk reasons emerging` "
            "with --from and --to of the report's quarter"
        )
    return tuple(
        Emerging(
            id=str(cluster["id"]),
            name=", ".join(map(str, cluster["terms"][:SHOWN_TERMS])) or str(cluster["id"]),
            tickets=int(cluster["size"]),
            evident=bool(cluster["evident"]),
            nearest=_nearest(cluster["nearest"], name_of),
            growth=None if cluster.get("growth") is None else float(cluster["growth"]),
            examples=tuple(_example_text(one["text"]) for one in cluster["typical"][:SHOWN_EXAMPLES]),
        )
        for cluster in data["reasons"]
    )


def _nearest(counts: Mapping[str, int], name_of: Callable[[str], str]) -> str | None:
    """``“Where is my parcel” (88%)``."""
    if not counts:
        return None
    reason, most = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    return f"“{name_of(reason)}” ({most / sum(counts.values()):.0%})"


def _example_text(text: str) -> str:
    """Already redacted where it comes from; redacted again, because the report goes round."""
    text = " ".join(redact(text).split())
    return text if len(text) <= LONGEST_EXAMPLE else text[: LONGEST_EXAMPLE - 1].rsplit(" ", 1)[0] + "…"


def _audit(data: Mapping[str, Any]) -> AuditCounts:
    return AuditCounts(int(data["n"]), len(data["suspicious"]), len(data["contradictions"]))
