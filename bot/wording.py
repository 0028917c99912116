"""The bot's own words in every supported language, and the labels of the widget."""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from classifier.datafile import load_yaml

STARTER_WORDING = Path(__file__).parent / "data" / "wording.yaml"
SOURCE = "wording"
_FIELDS = frozenset({"shop", "ticket", "order", "day", "time", "topics"})


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Says(_Words):
    """Sentences of the bot; each is said under its field's name as source."""

    greeting: str
    greet_back: str
    clarify_options: str
    clarify_open: str
    clarify_options_again: str
    clarify_sections: str
    clarify_open_again: str
    ask_order: str
    ask_proof: str
    ask_order_id: str
    order_not_verified: str
    confirm: str
    hand_off: str
    hand_off_asked: str
    hand_off_person: str
    hand_off_language: str
    hand_off_expect: str
    hand_off_mail: str
    passed_on: str
    meanwhile: str
    hand_off_more: str
    close_solved: str
    close_thanks: str
    close_offer: str


class ChoiceLabels(_Words):
    """Labels of the buttons that do not name a contact reason."""

    person: str
    solved: str
    not_solved: str
    no_order: str


class WidgetLabels(_Words):
    """What the widget shows around the conversation."""

    title: str
    open: str
    close: str
    log: str
    input: str
    placeholder: str
    send: str
    person: str
    you: str
    assistant: str
    agent: str
    typing: str
    waiting: str
    failed: str
    retry: str
    unavailable: str
    too_long: str
    article: str
    choices: str
    rate_title: str
    rate_1: str
    rate_2: str
    rate_3: str
    rate_4: str
    rate_5: str
    rate_comment: str
    rate_send: str
    rate_skip: str
    rate_thanks: str
    nps_title: str
    nps_low: str
    nps_high: str
    use_order: str


class LocaleWording(_Words):
    """Everything for one language; ``customer`` and the fields after it are for the transcript that agents read.

    ``answer_day`` is how a day is written, a pattern of the Unicode date formats. ``mail_subject`` heads an answer
    that goes to the customer of a chat by mail.
    """

    says: Says
    choices: ChoiceLabels
    assistant_name: str
    answer_day: str
    mail_subject: str
    customer: str
    assistant: str
    transcript: str
    order_given: str
    widget: WidgetLabels

    def say(self, key: str, **values: str) -> str:
        """The sentence ``key`` with ``values`` in its braces."""
        text: str = getattr(self.says, key)
        return text.format(**values)


class Wording(_Words):
    """The data file ``wording.yaml``."""

    version: int
    locales: dict[str, LocaleWording]

    @model_validator(mode="after")
    def _same_fields_everywhere(self) -> Self:
        if not self.locales:
            raise ValueError("there is no language")
        first, *others = self.locales.items()
        for locale, words in self.locales.items():
            if _fields(words.mail_subject) != {"ticket", "shop"}:
                raise ValueError(f"{locale}.mail_subject: has to name {{shop}} and {{ticket}}, no other field")
            for key, text in words.says.model_dump().items():
                fields = _fields(text)
                if unknown := fields - _FIELDS:
                    raise ValueError(f"{locale}.says.{key}: unknown field {', '.join(sorted(unknown))}")
        for locale, words in others:
            for key, text in words.says.model_dump().items():
                if _fields(text) != _fields(getattr(first[1].says, key)):
                    raise ValueError(f"{locale}.says.{key}: its fields in braces differ from those of {first[0]}")
        return self

    def __contains__(self, locale: object) -> bool:
        return locale in self.locales

    def __getitem__(self, locale: str) -> LocaleWording:
        return self.locales[locale]


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@cache
def starter_wording() -> Wording:
    """The shipped wording."""
    return load_yaml(STARTER_WORDING, Wording)
