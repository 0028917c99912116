"""A thread that keeps reading the mailbox: the server tells of new mail (IDLE), or is asked regularly."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from time import monotonic

from imapclient import IMAPClient

from desk.database import Database, DatabaseError
from desk.mail import MailError
from desk.mail.accounts import MailLoginError, MailServer, imap_session
from desk.mail.fetching import read_folder
from desk.mail.receiving import Mailbox, Outcome

log = logging.getLogger("paretodesk.mail")

LOOK_EVERY = 60.0
"""Seconds between looks where the server cannot tell of new mail."""
IDLE_FOR = 240.0
"""Seconds after which IDLE starts anew; routers forget silent connections after five minutes and more."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0
LOGIN_PAUSE = 900.0
"""Seconds after a refused password: a few tries more lock many accounts."""


class MailPoller:
    """Reads one folder for as long as `running`.

    ``problem`` says why mail does not come in now, None while it does; everything else goes on without it.
    ``looked`` counts the looks into the folder, ``taken`` what became of the mail in it.
    """

    def __init__(
        self,
        database: Database,
        mailbox: Mailbox,
        server: MailServer,
        *,
        look_every: float = LOOK_EVERY,
        idle: bool = True,
    ) -> None:
        self.problem: str | None = None
        self.taken: Counter[Outcome] = Counter()
        self.looked = 0
        self._database, self._mailbox, self._server = database, mailbox, server
        self._look_every, self._idle = look_every, idle
        self._stop = threading.Event()
        self._jitter = Random()  # noqa: S311

    @contextmanager
    def running(self) -> Iterator[None]:
        """Read in the background until the block ends."""
        thread = threading.Thread(target=self._run, name="mailbox", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(timeout=10)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            started = monotonic()
            try:
                with imap_session(self._server) as client:
                    self._attend(client)
                return
            except (MailError, DatabaseError) as error:
                refused = isinstance(error, MailLoginError)
                self._tell(str(error))
            except Exception as error:  # a mistake of ours must not end the reading of mail for good
                refused = False
                log.error("reading the mailbox failed: %s", type(error).__name__, exc_info=error)
                self._tell(f"reading mail failed unexpectedly ({type(error).__name__}), see the log")
            failures = 1 if monotonic() - started > LONGEST_PAUSE else failures + 1
            pause = LOGIN_PAUSE if refused else min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
            self._stop.wait(pause * self._jitter.uniform(0.75, 1.0))

    def _attend(self, client: IMAPClient) -> None:
        told = self._idle and client.has_capability("IDLE")
        while not self._stop.is_set():
            self.taken.update(read_folder(self._database, self._mailbox, client, self._server.folder))
            self.looked += 1
            self._tell(None)
            if told:
                self._wait_for_news(client)
            else:
                self._stop.wait(self._look_every)

    def _wait_for_news(self, client: IMAPClient) -> None:
        client.idle()
        until = monotonic() + IDLE_FOR
        while not self._stop.is_set() and monotonic() < until:
            if any(response[1:] == (b"EXISTS",) for response in client.idle_check(timeout=1)):
                break
        client.idle_done()

    def _tell(self, problem: str | None) -> None:
        if problem and problem != self.problem:
            log.warning("mail does not come in: %s", problem)
        elif self.problem and not problem:
            log.warning("mail comes in again")
        self.problem = problem
