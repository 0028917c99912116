"""Check digits of carriers' tracking numbers. Sources: docs/domain.md section 5."""

from __future__ import annotations

import re
from collections.abc import Callable

from stdnum import luhn


def _ups(number: str) -> bool:
    total = 0
    for index, character in enumerate(number[2:-1]):
        value = int(character) if character.isdigit() else (ord(character) - 3) % 10
        total += value * 2 if index % 2 else value
    return number[-1].isdigit() and (10 - total % 10) % 10 == int(number[-1])


def _s10(number: str) -> bool:
    digits = [int(character) for character in number[2:11]]
    remainder = 11 - sum(w * d for w, d in zip((8, 6, 4, 2, 3, 5, 9, 7), digits, strict=False)) % 11
    return digits[8] == {10: 0, 11: 5}.get(remainder, remainder)


def _gs1(number: str) -> bool:
    """The check digit of barcodes; signs between the digits do not count."""
    digits = [int(character) for character in number if character.isdigit()]
    total = sum(d * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == digits[-1]


def _usps(number: str) -> bool:
    return _gs1(re.sub(r"^420\d{5}(?=9)", "", number))


def _fedex(number: str) -> bool:
    digits = [int(character) for character in number]
    if len(digits) == 12:
        return (
            sum(w * d for w, d in zip((3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1), digits, strict=False)) % 11 % 10 == digits[-1]
        )
    return _gs1(number)


def _dhl(number: str) -> bool:
    return int(number[:-1]) % 7 == int(number[-1])


def _colissimo(number: str) -> bool:
    return _gs1(number[2:])


def _identcode(number: str) -> bool:
    """Deutsche Post's Identcode and Leitcode: weights 4 and 9."""
    total = sum(int(digit) * (9 if i % 2 else 4) for i, digit in enumerate(number[:-1]))
    return (10 - total % 10) % 10 == int(number[-1])


CHECKS: dict[str, Callable[[str], bool]] = {
    "ups": _ups,
    "s10": _s10,
    "usps": _usps,
    "fedex": _fedex,
    "dhl": _dhl,
    "gs1": _gs1,
    "colissimo": _colissimo,
    "identcode": _identcode,
    "no_card": lambda number: not luhn.is_valid(number),
    "none": lambda number: True,
}
"""Name of a check in the data file ``carriers.yaml`` to whether a number passes it."""
