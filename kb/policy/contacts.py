"""Links, e-mail addresses and phone numbers in a message."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

from kb.policy.kinds import Emails, Links, Phones
from kb.policy.message import ORDER_ID, Message, without_values

Span = tuple[int, int]

# Top-level domains that a bare "name.tld" is read as a link for; others need www. or a scheme.
_BARE_DOMAINS = (
    "com|net|org|info|biz|shop|store|online|eu|de|fr|es|it|uk|io|ly|me|be|nl|at|ch|pl|us|link|page|blog|app|site|web|"
    "website|tech|xyz|club|dev|ai|co|tv|gl|gd|to|mx|ar|br|pt|ca|au|ie|lu|li|cat|gal|bzh|paris|berlin|example|help|"
    "support|care|email|market|deals|gift|video|social"
)
# Browsers take these for the dot between two labels, too.
_DOT = r"[.\u3002\uff0e\uff61]"
# The whole host counts, and after a scheme what stands before its last "@" as well: amazon.com may be the beginning of
# another domain or a user name.
_LINK = re.compile(
    r"(?P<scheme>\b(?i:https?|ftp|hxxps?)://)?"
    r"(?P<host>(?<=://)(?:[^\s/\\?#<>]*@)?[^\s/\\?#<>\"')\]]+"
    rf"|(?<![\w@.-])(?:(?i:www)(?:{_DOT}[\w-]+){{2,}}+"
    rf"|(?:[\w-]+\.)*(?=[\w-]*[^\W\d_])[\w-]+\.(?:{_BARE_DOMAINS}|{_BARE_DOMAINS.upper()})\b(?:{_DOT}[\w-]+)*+))"
    r"(?![\w@])(?P<path>(?::\d+)?[/\\?#][^\s<>\"')\]]*)?"
)
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_SPELLED_LINK = re.compile(
    r"\b[\w-]+\s*(?:[\[(]\s*(?:dot|punkt|point|punto|\.)\s*[\])]\s*|\s(?:dot|punkt|point|punto)\s(?=com|net|org|info|shop))"
    r"(?:com|net|org|info|shop|de|fr|es|it|uk|eu|example)\b",
    re.IGNORECASE,
)
_PICTURE_SOURCE = re.compile(r"<img\b[^>]*?\ssrc\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_SPELLED_EMAIL = re.compile(
    r"\b[\w.+-]+\s*[\[({]\s*(?:at|@|arobase|chiocciola|arroba|klammeraffe|ät)\s*[\])}]\s*[\w-]+(?:\s*(?:\.|[\[(]?(?:dot|punkt|point|punto)[\])]?)\s*\w{2,})+"
    r"|\b[\w.+-]+\s+(?:at|ät|arobase|chiocciola|arroba)\s+[\w-]+\s+(?:dot|punkt|point|punto)\s+\w{2,}\b",
    re.IGNORECASE,
)

# What is no phone number although it has enough digits.
_NOT_PHONES = (
    ORDER_ID,
    re.compile(
        r"\b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2})?)?\b|\b\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b"
    ),
    re.compile(r"(?:[€$£]|\b(?:EUR|USD|GBP)\b)\s?\d[\d.,]*|\d[\d.,]*\s?(?:[€$£]|\b(?:EUR|USD|GBP)\b)"),
    re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{6,}\b"),
    re.compile(r"\b[A-Za-z]{1,6}[-_#/]\d[\w-]*"),
    re.compile(r"\b\d?[A-Z]\d?(?: \d{2,4}){3,}|\b\d[A-Z](?: \d{2}){4,}"),
)
_ROW_GAP = re.compile(r"[\s,./–-]{0,3}(?:\d{1,3}[\s,./–-]{0,3})*")
_CUE_REACH = 4
_OWNER_REACH = 8
_ID_REACH = 1


def find_links(detector: Links, message: Message) -> Iterator[Span]:
    """Links to domains that are not allowed, links without https, and links in words."""
    # Where a picture comes from is the picture rules' business.
    addresses = [
        match.span()
        for pattern in (_EMAIL, _SPELLED_EMAIL, _PICTURE_SOURCE)
        for match in pattern.finditer(message.text)
    ]
    for match in _LINK.finditer(message.text):
        if any(start <= match.start() < end for start, end in addresses):
            continue
        scheme = (match["scheme"] or "").lower()
        if scheme in {"", "https://"} and _allowed(match["host"].lower(), detector.allowed):
            continue
        yield match.start(), match.start() + len(match[0].rstrip(".,;:!?"))
    for match in _SPELLED_LINK.finditer(message.text):
        if not any(start < match.end() and match.start() < end for start, end in addresses):
            yield match.span()


def _allowed(host: str, allowed: tuple[str, ...]) -> bool:
    host = re.sub(r"(?::\d*)?\W*$", "", host.split("@")[-1])
    return bool(_HOST.fullmatch(host)) and any(host == domain or host.endswith(f".{domain}") for domain in allowed)


def find_emails(detector: Emails, message: Message) -> Iterator[Span]:
    """E-mail addresses, as written or spelled out."""
    for pattern in (_EMAIL, _SPELLED_EMAIL):
        for match in pattern.finditer(message.text):
            yield match.span()


def find_phones(detector: Phones, message: Message) -> Iterator[Span]:
    """Phone numbers of the regions, unless they are the carrier's, the manufacturer's or the warranty's."""
    text = _mask(message.text, message.context.not_phones)
    found: set[Span] = set()
    regions = (
        (message.locale.upper(), *detector.regions) if message.locale.upper() in detector.regions else detector.regions
    )
    for region in dict.fromkeys(("ZZ", *regions)):
        # With its country code a number that is not assigned (yet) is one as well.
        leniency = Leniency.POSSIBLE if region == "ZZ" else Leniency.VALID
        for match in PhoneNumberMatcher(text, region, leniency=leniency):
            span = (match.start, match.end)
            if any(span[0] < end and start < span[1] for start, end in found):
                continue
            written = match.raw_string
            bare = re.fullmatch(r"\d+", written) is not None
            sure = written.startswith(("+", "00")) or (not bare and phonenumbers.is_valid_number(match.number))
            local = bare and written.startswith("0") and region == message.locale.upper()
            if sure or local or _word_near(message, detector.cue, span, _CUE_REACH):
                found.add(span)
    found.update(_spelled_out(detector, message))
    for span in sorted(found):
        if _word_near(message, detector.ids, span, _ID_REACH, before=True):
            continue
        if not _word_near(message, detector.excused_by, span, _OWNER_REACH):
            yield span


def _spelled_out(detector: Phones, message: Message) -> Iterator[Span]:
    """Rows of number words, and of such words and digits, that are long enough for a phone number."""
    for lexicon in message.lexicons:
        row: list[Span] = []
        for span in [*message.find(lexicon, detector.digits), (len(message.folded.text), 0)]:
            between = message.folded.text[row[-1][1] : span[0]] if row else ""
            if row and (span[1] == 0 or not _ROW_GAP.fullmatch(between)):
                if len(row) >= detector.spelled_length:
                    yield message.folded.span(row[0][0], row[-1][1])
                row = []
            if span[1]:
                row.append(span)


def _mask(text: str, values: tuple[str, ...]) -> str:
    # With its country code it is a phone number, whoever calls it an id.
    text = without_values(text, (value for value in values if not value.startswith("+")), "x")
    for pattern in _NOT_PHONES:
        text = pattern.sub(lambda match: "x" * len(match[0]), text)
    return text


def _word_near(message: Message, name: str, span: Span, reach: int, *, before: bool = False) -> bool:
    """Whether a word of list ``name`` stands in the span's sentence (``before`` it), ``reach`` words away at most."""
    folded = message.folded
    inside = [i for i, origin in enumerate(folded.origin) if span[0] <= origin < span[1]]
    if not inside:
        return False
    here = (inside[0], inside[-1] + 1)
    start, end = message.sentence_around(here[0])
    for lexicon in message.lexicons:
        for found in message.find(lexicon, name):
            if before and found[0] >= here[0]:
                continue
            if start <= found[0] < end and folded.words_between(found, here) <= reach:
                return True
    return False
