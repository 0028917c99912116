"""What a rule looks for: each kind of detector and its settings, as data."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from classifier.datafile import regular_expression


class Severity(StrEnum):
    """A block must not be sent; a warning may be, by a person who read it."""

    BLOCK = "block"
    WARN = "warn"


def _compile(value: object) -> object:
    return regular_expression(value, re.MULTILINE) if isinstance(value, str) else value


Regex = Annotated[re.Pattern[str], BeforeValidator(_compile)]


class _Detector(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    severity: Severity | None = None
    """Overrides the rule's severity for what this detector finds."""


class Phrases(_Detector):
    """A phrase of a lexicon list, unless its clause denies it."""

    kind: Literal["phrases"]
    list: str
    negatable: bool = True
    fulfilment: str | None = None
    """Look only when the order is fulfilled so; silent where that is not known."""
    unless: tuple[str, ...] = ()
    """Lists whose phrases, anywhere in the message, show that it is about something else."""


class Misspelled(_Detector):
    """A phrase of a lexicon list in the message's language, accents counting."""

    kind: Literal["misspelled"]
    list: str


class Near(_Detector):
    """A phrase of one list within some words of a phrase of another."""

    kind: Literal["near"]
    list: str
    other: str
    within: int = Field(ge=0)
    negatable: tuple[str, ...] = ()
    """Which of the two lists a denial takes away."""
    same_sentence: bool = False
    unless: tuple[str, ...] = ()
    """Lists whose phrases excuse it: in the sentence of the finding, or anywhere in the message."""
    unless_in: Literal["sentence", "message"] = "message"


class Ideas(_Detector):
    """Several ideas in neighbouring sentences, each of which may be put in many ways."""

    kind: Literal["ideas"]
    all_of: tuple[tuple[str, ...], ...] = Field(min_length=1)
    """Every idea as the lists that name it; one phrase of each must be there, the rarest idea first."""
    sentences: int = Field(default=1, ge=1)
    """In how many sentences in a row."""
    negatable: tuple[str, ...] = ()
    """Lists whose phrases do not count where their clause denies them."""
    unless: tuple[str, ...] = ()
    """Lists whose phrases, in these sentences, excuse it."""
    unless_in: Literal["sentences", "message"] = "sentences"


class Pattern(_Detector):
    """A regular expression over the text as written."""

    kind: Literal["pattern"]
    pattern: Regex
    not_in_channel: str | None = None
    """A channel that may carry what the pattern finds."""


class Links(_Detector):
    """A link whose domain is not allowed, or that is not https."""

    kind: Literal["links"]
    allowed: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")], ...]
    """Domains, their subdomains included; every country's is listed, because anybody may own `amazon` elsewhere."""


class Emails(_Detector):
    """An e-mail address, also in words."""

    kind: Literal["emails"]


class Phones(_Detector):
    """A phone number, after ids, dates and amounts are masked."""

    kind: Literal["phones"]
    excused_by: str
    cue: str
    ids: str
    """Lexicon list of what stands right before a number that is an identifier."""
    digits: str
    """Lexicon list of the words for numbers, for a phone number that is spelled out."""
    spelled_length: int = Field(ge=4)
    """From how many number words in a row on they are a phone number."""
    regions: tuple[str, ...]


class Length(_Detector):
    """More characters than allowed."""

    kind: Literal["length"]
    at_most: int = Field(ge=1)


class Language(_Detector):
    """A paragraph in another language than the buyer's."""

    kind: Literal["language"]
    min_letters: int = Field(ge=1)
    sentence_letters: int = Field(ge=1)
    """From how many letters on a single sentence is judged as well."""


class OrderId(_Detector):
    """No order id in the message, or not this order's."""

    kind: Literal["order_id"]


class OtherOrder(_Detector):
    """The id of another order than the ticket's; silent where that is not known."""

    kind: Literal["other_order"]


class CourtesyOnly(_Detector):
    """Nothing but greetings, thanks and offers to help."""

    kind: Literal["courtesy_only"]
    list: str
    short_sentence: int
    substance: str
    """Phrases that say something this order needs: a delay, a defect, a question to the buyer."""
    small_talk: str
    """Questions that want to know nothing about this order: "How do you like it?"."""


class NoSubstance(_Detector):
    """A short message in which nothing is said that an order may need, whatever else it says."""

    kind: Literal["no_substance"]
    substance: str
    small_talk: str
    at_most: int = Field(ge=1)
    """Words of a message that is judged; a longer one may say it in words that no list knows."""
    unless: tuple[str, ...] = ()
    """Lists whose phrases say what the message is about, so that another rule judges it."""


class Confirmation(_Detector):
    """A message that tells that an order was received or shipped, and nothing that the buyer must know or do."""

    kind: Literal["confirmation"]
    list: str
    other: str
    alone: str
    """Lexicon list of what tells it without a word for the shipment."""
    within: int = Field(ge=0)
    substance: str


class Pictures(_Detector):
    """Pictures in HTML or Markdown, by what they are."""

    kind: Literal["pictures"]
    of: tuple[Literal["linked_logo", "decoration", "product", "pixel", "insecure"], ...]
    decoration: str
    """Lexicon list of what a picture shows that is neither logo nor product."""


class RepeatedRequest(_Detector):
    """A review request where the order already had one; silent without history."""

    kind: Literal["repeated_request"]
    list: str


class OptedOut(_Detector):
    """The buyer opted out of messages that are not critical; silent without that flag."""

    kind: Literal["opted_out"]


class LateContact(_Detector):
    """Sent too long after the order was completed; silent without dates."""

    kind: Literal["late_contact"]
    days: int


class Attachments(_Detector):
    """Attachments of a wrong kind, size or number; silent without attachments."""

    kind: Literal["attachments"]
    kinds: tuple[str, ...]
    max_bytes: int
    max_files: int


Detector = Annotated[
    Phrases
    | Misspelled
    | Near
    | Ideas
    | Pattern
    | Links
    | Emails
    | Phones
    | Length
    | Language
    | OrderId
    | OtherOrder
    | CourtesyOnly
    | NoSubstance
    | Confirmation
    | Pictures
    | RepeatedRequest
    | OptedOut
    | LateContact
    | Attachments,
    Field(discriminator="kind"),
]
