"""Who wrote: a marketplace's customer, the marketplace itself, anybody, or a machine. Data: ``senders.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from classifier.datafile import PatternText, load_yaml
from desk.mail.message import Address, MailMessage

MAIL_CHANNEL = "email"


class MarketplaceSenders(BaseModel):
    """The domains of one marketplace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    marketplace: str
    relay: tuple[str, ...]
    notices: tuple[str, ...]
    tlds: dict[str, str | None]


class SenderFile(BaseModel):
    """The data file ``senders.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    marketplaces: tuple[MarketplaceSenders, ...]
    name_endings: tuple[PatternText, ...]
    automatic_subjects: tuple[PatternText, ...]
    machine_addresses: frozenset[str]


class Machine(StrEnum):
    """What kind of machine wrote a mail."""

    REPLY = "auto_reply"  # somebody is away, or a robot confirms
    BULK = "bulk"  # newsletters and lists
    GENERATED = "generated"  # notices, confirmations, forms
    BOUNCE = "bounce"  # a mail of ours did not arrive, or is late


@dataclass(frozen=True, slots=True)
class Origin:
    """Where mail of a domain comes from. ``relay``: the address stands for one customer of the marketplace.

    ``notices``: the marketplace itself wrote. Neither: a mail from anywhere.
    """

    channel: str = MAIL_CHANNEL
    marketplace: str | None = None
    language: str | None = None
    relay: bool = False
    notices: bool = False


def origin_of(address: Address | None) -> Origin:
    """What the sender's domain tells. A look-alike such as ``marketplace.amazon.de.example`` tells nothing."""
    if address is None:
        return Origin()
    known = _data().domains
    if found := known.get(address.domain):
        return found
    labels = address.domain.split(".")
    above = ("." + ".".join(labels[start:]) for start in range(1, len(labels)))
    return next((known[name] for name in above if name in known), Origin())


def customer_name(address: Address) -> str | None:
    """The name beside the address, without what a marketplace adds to it."""
    name = _data().name_endings.sub("", address.name or "").strip()
    return None if not name or "@" in name else name


def machine_of(message: MailMessage, origin: Origin) -> Machine | None:
    """Which machine wrote a mail; None for a person.

    RFC 3834 (Auto-Submitted), RFC 3464 (delivery reports), and what mail programs did before. A relay writes its own
    headers around a person's words, so that of them only a report and an automatic reply count.
    """
    marks, sender = message.marks, message.sender
    empty_path = marks.get("return-path") == "<>"
    local = sender.key.partition("@")[0] if sender else ""
    if message.is_report or "x-failed-recipients" in marks or (empty_path and local in _data().machine_addresses):
        return Machine.BOUNCE
    submitted = marks.get("auto-submitted", "no").partition(";")[0].partition("(")[0].strip().lower()
    replied = {"x-autoreply", "x-autorespond", "x-autoresponse"} & marks.keys()
    precedence = marks.get("precedence", "").lower()
    if submitted == "auto-replied" or replied or precedence == "auto_reply":
        return Machine.REPLY
    if _data().automatic_subjects.search(message.subject):
        return Machine.REPLY
    if origin.relay:
        return None
    if precedence in ("bulk", "list", "junk") or {"list-id", "list-unsubscribe"} & marks.keys():
        return Machine.BULK
    if submitted not in ("", "no") or empty_path or "x-auto-response-suppress" in marks:
        return Machine.GENERATED
    return None


@dataclass(frozen=True)
class _Compiled:
    domains: dict[str, Origin]
    name_endings: re.Pattern[str]
    automatic_subjects: re.Pattern[str]
    machine_addresses: frozenset[str]


@cache
def _data() -> _Compiled:
    data = load_yaml(Path(__file__).with_name("senders.yaml"), SenderFile)
    domains: dict[str, Origin] = {}
    for senders in data.marketplaces:
        for names, relay in ((senders.notices, False), (senders.relay, True)):
            for name in names:
                for tld, language in (senders.tlds if "{tld}" in name else {"": None}).items():
                    origin = Origin(senders.marketplace, senders.marketplace, language, relay, not relay)
                    domains[name.replace("{tld}", tld)] = origin
    return _Compiled(
        domains,
        re.compile("|".join(f"(?:{pattern})" for pattern in data.name_endings), re.I),
        re.compile("|".join(f"(?:{pattern})" for pattern in data.automatic_subjects), re.I),
        data.machine_addresses,
    )
