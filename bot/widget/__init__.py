"""The chat widget: one script, served with the labels of every language in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bot.wording import Wording, starter_wording

WIDGET = Path(__file__).parent / "widget.js"
_LABELS = re.compile(r"/\* labels \*/.*?/\* end of labels \*/", re.DOTALL)


def widget_script(wording: Wording | None = None) -> str:
    """The script with the labels of ``wording``; those of the file are for one who serves it as it stands."""
    words = wording or starter_wording()
    labels = {locale: text.widget.model_dump() for locale, text in words.locales.items()}
    made = json.dumps(labels, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    script, places = _LABELS.subn(lambda _: made, WIDGET.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{WIDGET}: has {places} places for labels instead of one")
    return script
