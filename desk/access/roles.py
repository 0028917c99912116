"""Roles and permissions as data: `roles.yaml`, read once and checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from classifier.datafile import load_yaml

ROLES = Path(__file__).parent / "roles.yaml"


class PermissionFields(BaseModel):
    """A permission as the file states it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: str = Field(min_length=1)
    for_keys: bool = True


class RoleFields(BaseModel):
    """A role as the file states it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: str = Field(min_length=1)
    includes: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


class RolesFile(BaseModel):
    """The whole file. A name that nothing declares and a role that includes itself are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    permissions: dict[str, PermissionFields]
    roles: dict[str, RoleFields]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, role in self.roles.items():
            if unknown := set(role.permissions) - set(self.permissions):
                raise ValueError(f"roles.{name}: no such permission: {', '.join(sorted(unknown))}")
            if unknown := set(role.includes) - set(self.roles):
                raise ValueError(f"roles.{name}: no such role: {', '.join(sorted(unknown))}")
            _granted(self, name, ())
        if idle := set(self.permissions) - {p for name in self.roles for p in _granted(self, name, ())}:
            raise ValueError(f"permissions: no role has {', '.join(sorted(idle))}")
        return self


def _granted(file: RolesFile, name: str, path: tuple[str, ...]) -> frozenset[str]:
    if name in path:
        raise ValueError(f"roles.{name}: includes itself by way of {' -> '.join((*path, name))}")
    role = file.roles[name]
    return frozenset(role.permissions).union(*(_granted(file, other, (*path, name)) for other in role.includes))


@dataclass(frozen=True)
class Roles:
    """Which permissions there are (name to meaning), and which of them each role has, least role first."""

    permissions: Mapping[str, str]
    granted: Mapping[str, frozenset[str]]
    for_keys: frozenset[str]
    """What an API key may have."""

    @property
    def all(self) -> frozenset[str]:
        """Every permission."""
        return frozenset(self.permissions)

    def of(self, role: str) -> frozenset[str]:
        """What a role may do; nothing for a role that the file does not know, such as one of an older version."""
        return self.granted.get(role, frozenset())

    def highest(self, names: Iterable[str]) -> str | None:
        """Of ``names`` the role with the most permissions, None where none of them is a role."""
        return max((name for name in names if name in self.granted), key=lambda name: len(self.of(name)), default=None)


def load_roles(path: Path) -> Roles:
    """Read a roles file. Raises `DataFileError`."""
    file = load_yaml(path, RolesFile)
    return Roles(
        {name: permission.says for name, permission in file.permissions.items()},
        {name: _granted(file, name, ()) for name in file.roles},
        frozenset(name for name, permission in file.permissions.items() if permission.for_keys),
    )


@cache
def desk_roles() -> Roles:
    """The roles of this desk."""
    return load_roles(ROLES)
