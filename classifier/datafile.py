"""Data files (YAML, Markdown front matter) validated at load, with file and line in every error.

DataFileError
    ├── raised when a file is missing, is not UTF-8, is not YAML, or does not fit its schema
    └── its message reads ``path:line: field: what is wrong``
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

Schema = TypeVar("Schema", bound=BaseModel)

FRONT_MATTER_FENCE = "---"


def regular_expression(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """``pattern`` compiled. A mistake in it is a ValueError, which a schema reports with file and line."""
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r} is not a regular expression: {error}") from error


PatternText = Annotated[str, AfterValidator(lambda pattern: regular_expression(pattern).pattern)]
"""A field of a schema that holds a regular expression."""


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """SafeLoader with the booleans of YAML 1.2, so that the Spanish word ``no`` stays a word.

    libyaml's where there is one: the guard's rules alone take the pure Python parser a second at every start.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


class DataFileError(ValueError):
    """A data file cannot be used; the message says where and why, one mistake per line."""


def _line_of(node: yaml.Node | None, path: Sequence[int | str]) -> int:
    """1-based line of the value at ``path`` inside a composed YAML tree, or of its nearest parent."""
    line = node.start_mark.line + 1 if node is not None else 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                return line
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line


def parse_yaml(text: str, schema: type[Schema], source: str | Path, first_line: int = 1) -> Schema:
    """Validate YAML ``text`` against ``schema``; ``first_line`` is where the text starts in ``source``."""
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = (mark.line if mark else 0) + first_line
        problem = getattr(error, "problem", None) or str(error)
        raise DataFileError(f"{source}:{line}: not valid YAML: {problem}") from error
    if not isinstance(data, Mapping):
        raise DataFileError(f"{source}:{first_line}: expected a mapping of fields, found {type(data).__name__}")
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        node = yaml.compose(text, Loader=_Loader)  # only a mistake needs the lines
        raise DataFileError("\n".join(_explain(error, node, source, first_line))) from error


def _explain(error: ValidationError, node: yaml.Node | None, source: str | Path, first_line: int) -> list[str]:
    lines = []
    for mistake in error.errors():
        line = _line_of(node, mistake["loc"]) + first_line - 1
        field = ".".join(str(step) for step in mistake["loc"]) or "file"
        lines.append(f"{source}:{line}: {field}: {mistake['msg']}")
    return lines


def read_text(path: Path) -> str:
    """The file's text as UTF-8. Raises `DataFileError` when it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataFileError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error


def load_yaml(path: Path, schema: type[Schema]) -> Schema:
    """Read and validate one YAML file. Raises `DataFileError`."""
    return parse_yaml(read_text(path), schema, path)


def load_front_matter(path: Path, schema: type[Schema]) -> tuple[Schema, str, int]:
    """Split a Markdown file into its validated front matter, its body, and the body's first line number.

    Raises `DataFileError` when the front matter is missing, unclosed or does not fit ``schema``.
    """
    lines = read_text(path).splitlines()
    if not lines or lines[0].strip() != FRONT_MATTER_FENCE:
        raise DataFileError(f"{path}:1: front matter is missing; the first line must be '{FRONT_MATTER_FENCE}'")
    end = next((i for i, line in enumerate(lines[1:], start=1) if line.strip() == FRONT_MATTER_FENCE), None)
    if end is None:
        raise DataFileError(f"{path}:1: front matter is not closed by a second '{FRONT_MATTER_FENCE}' line")
    meta = parse_yaml("\n".join(lines[1:end]), schema, path, first_line=2)
    return meta, "\n".join(lines[end + 1 :]).strip("\n"), end + 2
