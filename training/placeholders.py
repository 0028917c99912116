"""What stands in a text where something was redacted or erased: no word of the customer."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\[[A-Z_]+\]|\[erased: [^\]]*\]")


def without_placeholders(text: str) -> str:
    """The text with a space in place of each ``[NAME]`` of `classifier.redaction` and ``[erased: ...]`` of the desk."""
    return _PLACEHOLDER.sub(" ", text)
