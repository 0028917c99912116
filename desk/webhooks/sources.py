"""The systems that may deliver: their signature scheme, secrets and mapping, from one YAML file checked at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

from classifier.datafile import load_yaml
from desk.secret_source import SecretPlace
from desk.ticket import UNKNOWN_CHANNEL
from desk.webhooks.payloads import PayloadMapping
from desk.webhooks.signatures import TOLERANCE, HmacScheme, Scheme, scheme_of

PRESETS = Path(__file__).parent / "presets"
PLACEHOLDERS = Path(__file__).parent / "placeholders.yaml"
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
MIN_SECRET = 16
"""Characters; the shortest that a vendor gives out has 24 (Chatwoot)."""
MIN_DISTINCT = 6


@dataclass(frozen=True, slots=True)
class Source:
    """A system whose signed deliveries we take. ``name`` is also the ``source`` of its tickets."""

    name: str
    scheme: Scheme
    secrets: tuple[str, ...] = field(repr=False)
    mapping: PayloadMapping
    channel: str = UNKNOWN_CHANNEL
    marketplace: str | None = None
    tolerance: timedelta = TOLERANCE


class SecretFrom(SecretPlace):
    """Where a signing secret comes from; a placeholder is none."""

    @model_validator(mode="after")
    def _usable(self) -> SecretFrom:
        if problem := weakness(self.read()):
            raise ValueError(f"{self.place} {problem}; put the secret there that the sending system shows")
        return self


class SourceSettings(BaseModel):
    """One source as it stands in the file. ``mapping`` changes the preset's, or stands alone beside ``signature``."""

    model_config = ConfigDict(extra="forbid")

    preset: str | None = None
    signature: str | HmacScheme | None = None
    secrets: tuple[SecretFrom, ...] = Field(min_length=1)
    mapping: dict[str, Any] = {}
    channel: str = Field(UNKNOWN_CHANNEL, min_length=1, max_length=50)
    marketplace: str | None = Field(None, max_length=50)
    tolerance_seconds: int = Field(int(TOLERANCE.total_seconds()), ge=10, le=3600)
    _mapping: PayloadMapping = PrivateAttr()
    _scheme: Scheme = PrivateAttr()

    @field_validator("preset")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in preset_names():
            raise ValueError(f"there is no preset {value!r}; use one of {', '.join(preset_names())}")
        return value

    @model_validator(mode="after")
    def _put_together(self) -> SourceSettings:
        self._mapping = _changed(self.preset, self.mapping)
        scheme = self.signature or self._mapping.signature
        if scheme is None:
            raise ValueError("signature is needed beside a mapping of your own: a scheme's name, or its description")
        self._scheme = scheme_of(scheme)
        for given in self.secrets:
            self._scheme.check_secret(given.read())
        return self

    def source(self, name: str) -> Source:
        """The source under its name."""
        return Source(
            name=name,
            scheme=self._scheme,
            secrets=tuple(given.read() for given in self.secrets),
            mapping=self._mapping,
            channel=self.channel,
            marketplace=self.marketplace,
            tolerance=timedelta(seconds=self.tolerance_seconds),
        )


class _SourceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sources: dict[str, SourceSettings] = Field(min_length=1)

    @field_validator("sources")
    @classmethod
    def _names(cls, value: dict[str, SourceSettings]) -> dict[str, SourceSettings]:
        if odd := [name for name in value if not SOURCE_NAME.fullmatch(name)]:
            raise ValueError(f"{', '.join(odd)}: a source's name is part of its address; use a-z, 0-9, - and _")
        return value


class _Placeholders(BaseModel):
    public: tuple[str, ...]
    words: tuple[str, ...]


def load_sources(path: Path) -> dict[str, Source]:
    """The sources by name. Raises `DataFileError` with file and line, for secrets that cannot be used, too."""
    return {name: settings.source(name) for name, settings in load_yaml(path, _SourceFile).sources.items()}


def preset_names() -> tuple[str, ...]:
    """The shipped mappings."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.yaml")))


@cache
def load_preset(name: str) -> PayloadMapping:
    """A shipped mapping by its name."""
    return load_yaml(PRESETS / f"{name}.yaml", PayloadMapping)


def weakness(secret: str) -> str | None:
    """Why ``secret`` is no secret; None when it may be one."""
    known = _placeholders()
    if secret in known.public:
        return "holds a secret that is printed in the vendor's documentation"
    if len(secret) < MIN_SECRET or len(set(secret)) < MIN_DISTINCT:
        return f"holds fewer than {MIN_SECRET} characters, or too few different ones"
    words = "|".join(sorted(map(re.escape, known.words), key=len, reverse=True))
    rest, removed = re.subn(rf"(?<![a-z])(?:{words})+(?![a-z])", "", secret.casefold())
    left = sum(map(str.isalnum, rest))
    return "holds a placeholder, not a secret" if removed and left < MIN_SECRET else None


@cache
def _placeholders() -> _Placeholders:
    return load_yaml(PLACEHOLDERS, _Placeholders)


def _changed(preset: str | None, changes: Mapping[str, Any]) -> PayloadMapping:
    base = load_preset(preset).model_dump(exclude_none=True) if preset else {}
    merged = {**base, **changes}
    for part in ("fields", "values"):
        if isinstance(changes.get(part), Mapping):
            merged[part] = {**base.get(part, {}), **changes[part]}
    fields = merged.get("fields")
    if isinstance(fields, Mapping):
        merged["fields"] = {name: (paths,) if isinstance(paths, str) else paths for name, paths in fields.items()}
    try:
        return PayloadMapping.model_validate(merged)
    except ValidationError as error:
        mistakes = [f"{'.'.join(map(str, m['loc'])) or 'mapping'}: {m['msg']}" for m in error.errors()]
        raise ValueError(f"mapping: {'; '.join(mistakes)}") from error
