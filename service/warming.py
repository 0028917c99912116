"""What a serving process makes ready while it answers already, so that no customer waits for it.

Word lists of the policy check become patterns when a message is first checked in a language: a second of work for each
language, which the first macro filled in it would wait for.
"""

from __future__ import annotations

import logging
import threading
import time

from classifier.datafile import DataFileError
from classifier.entities import find_entities
from kb.policy import check
from kb.policy.lexicon import starter_lexicons
from service import garbage
from service.wiring import Services

PROBE = "Your order 171-1234567-7654321 left on 3 May; it costs 12,50 EUR. Call 030 901820 if it is late."
"""Has something of each kind that patterns look for."""

_log = logging.getLogger(__name__)


def warm_up(services: Services) -> threading.Thread:
    """Start making ready what is used later; the thread ends by itself and keeps no process alive."""
    thread = threading.Thread(target=_warm, args=(services,), name="warm-up", daemon=True)
    thread.start()
    return thread


def _warm(services: Services) -> None:
    started = time.perf_counter()
    try:
        for locale in services.taxonomy.locales:
            find_entities(PROBE, locale)
            check(PROBE, locale=locale)
        for lexicon in starter_lexicons():
            lexicon.prepare()
        # What has just been made stays as long as the process: see `service.garbage`.
        garbage.settle()
    except (DataFileError, OSError):
        # Nothing depends on it: whoever asks first will see what is wrong, and be told.
        _log.exception("not everything could be made ready")
    _log.info("word lists are ready after %.1f s", time.perf_counter() - started)
