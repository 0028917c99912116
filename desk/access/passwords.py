"""Passwords: what is good enough, and how they are stored.

Length over composition rules, and no truncation: NIST SP 800-63B, section 5.1.1.2. Argon2id with 19 MiB, two passes and
one lane: OWASP Password Storage Cheat Sheet.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from desk.access import AccessError

SHORTEST = 12
LONGEST = 1_000
FEWEST_CHARACTERS = 5
"""Different ones; 'aaaaaaaaaaaa' is long and no password."""
AT_ONCE = 2
"""Hashes computed at the same time, 19 MiB each: many sign-ins must not take the memory or the cores of the desk."""
WAIT = 5.0
"""Seconds in which one of those places becomes free."""

_hashing = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))
_places = threading.BoundedSemaphore(AT_ONCE)


class PasswordError(AccessError):
    """A password that is too weak; the message says why, and never repeats it."""


class BusyError(AccessError):
    """Too many passwords are being checked at this moment."""


def hashed(password: str, username: str) -> str:
    """The hash to store. Raises `PasswordError` where the password is not good enough for ``username``."""
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise PasswordError(f"the password needs at least {SHORTEST} characters; a few unrelated words do well")
    if len(plain) > LONGEST:
        raise PasswordError(f"the password has {len(plain):,} characters; the limit is {LONGEST:,}")
    if len(set(plain)) < FEWEST_CHARACTERS:
        raise PasswordError("the password repeats the same few characters; choose another")
    name, said = username.casefold(), plain.casefold()
    if name in said or name.partition("@")[0] in said or said in name:
        raise PasswordError("the password contains the user name; choose another")
    with _place():
        return _hashing.hash(plain)


def fits(password: str, stored: str | None) -> bool:
    """Whether ``password`` is the stored one. Without a stored one it is not, after the same work."""
    plain = _normal(password[:LONGEST])
    with _place():
        try:
            fitting = _hashing.verify(plain, stored or _nobodys())
        except UnknownHashError:
            return False
    return fitting and stored is not None


@cache
def _nobodys() -> str:
    return _hashing.hash("the password of nobody")


def _normal(password: str) -> str:
    """The same characters for the same keys, whatever the keyboard or browser composes."""
    return unicodedata.normalize("NFKC", password.encode("utf-8", "replace").decode())


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(timeout=WAIT):
        raise BusyError("too many passwords are being checked at this moment; try again in a few seconds")
    try:
        yield
    finally:
        _places.release()


def prepare_passwords() -> None:
    """Make what unknown names are compared with, so that the first one does not take longer than a known one."""
    _nobodys()
