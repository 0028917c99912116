"""Plays scripted conversations with the real bot, each over a desk of its own, and judges every turn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.conversations import Conversations
from bot.dialogue import Tagger
from bot.script import Ending
from bot.script_files import Placed, Scripts
from bot.script_verdict import Step, Verdict, covers, is_right, judge
from bot.turn import NOT_SOLVED, PERSON, REASON_PREFIX, SECTION_PREFIX, SOLVED, Act, Turn
from desk.database import Database, open_database
from desk.inbox import Desk
from desk.order_table import EMAIL, ORDER_ID, POSTCODE, OrderTable
from desk.tables import orders, upsert
from kb.knowledge import KnowledgeBase


def rehearse(
    scripts: Scripts,
    tagger: Tagger,
    knowledge: KnowledgeBase,
    *,
    shop: str = "Our shop",
    step: Callable[[int, int], None] = lambda done, total: None,
) -> list[Verdict]:
    """Play every conversation and judge it, in order; ``step`` is told how many of how many are done.

    Each has a new SQLite desk with the scripts' orders, so that none sees what another did. Raises `DatabaseError`.
    """
    verdicts = []
    with TemporaryDirectory(prefix="paretodesk-scripts-") as folder:
        blank = Path(folder) / "blank.db"
        _prepare(blank, scripts)
        for number, placed in enumerate(scripts.conversations, start=1):
            own = Path(folder) / "desk.db"
            shutil.copy(blank, own)
            with _opened(own) as database:
                desk, source = Desk(database), OrderTable(database)
                bot = Conversations(database, desk, tagger, knowledge, source, shop=shop)
                verdicts.append(judge(placed, _Customer(bot, placed).play(), scripts))
            for path in Path(folder).glob("desk.db*"):
                path.unlink()
            step(number, len(scripts.conversations))
    return verdicts


class _Customer:
    """Says the lines of a script, and what follows from its ``wants``, ``in_other_words`` and its end beside them."""

    def __init__(self, bot: Conversations, placed: Placed) -> None:
        self._bot, self._placed = bot, placed
        self._started = bot.start("rehearsal", placed.script.locale)
        self._steps: list[Step] = []
        self._rephrased = False

    def play(self) -> list[Step]:
        for number, turn in enumerate(self._placed.script.turns):
            if turn.press and not self._offered(turn.press):
                self._steps.append(replace(self._steps[-1], number=number, said=f"[{turn.press}]", missing=True))
                continue
            reply = self._say(number, turn.customer or "", turn.press)
            if Act.CLARIFY not in turn.expect.act:
                self._explain(number, reply)
        if press := self._at_the_end(last := self._steps[-1]):
            self._say(last.number, "", press, closing=True)
        return self._steps

    def _offered(self, value: str) -> bool:
        choices = self._steps[-1].reply.choices if self._steps else self._started.choices
        return any(choice.value == value for choice in choices)

    def _explain(self, number: int, reply: Turn) -> None:
        """Answer the bot's questions where the script did not expect any."""
        script = self._placed.script
        wanted = f"{REASON_PREFIX}{script.wants}"
        while reply.act is Act.CLARIFY:
            if any(choice.value == wanted for choice in reply.choices):
                reply = self._say(number, "", wanted)
            elif section := self._right_section(number, reply):
                reply = self._say(number, "", section)
            elif script.in_other_words and not self._rephrased:
                self._rephrased = True
                reply = self._say(number, script.in_other_words)
            else:
                return

    def _right_section(self, number: int, reply: Turn) -> str | None:
        """The button of a section that answers this turn's question, where one is offered."""
        offered = [choice.value for choice in reply.choices if choice.value.startswith(SECTION_PREFIX)]
        names = (value for value in offered if covers(self._placed, number, value.removeprefix(SECTION_PREFIX)))
        return next(names, None)

    def _at_the_end(self, last: Step) -> str | None:
        """What the customer presses then: whether an answer helped; a person, where they were not understood."""
        if last.reply.act is Act.ANSWER:
            return SOLVED if is_right(self._placed, last) else NOT_SOLVED
        misunderstood = last.reply.act is Act.CLARIFY and Ending.HANDED_OFF in self._placed.script.final
        return PERSON if misunderstood and Ending.OPEN not in self._placed.script.final else None

    def _say(self, number: int, text: str, choice: str | None = None, *, closing: bool = False) -> Turn:
        reply = self._bot.say(self._started.session_id, self._started.token, text, choice=choice)
        self._steps.append(Step(number, text or f"[{choice}]", reply, closing))
        return reply


def _prepare(path: Path, scripts: Scripts) -> None:
    now = datetime.now(UTC)
    rows = []
    for order_id, facts in scripts.orders.items():
        known = {ORDER_ID: order_id, **facts}
        proofs = {"buyer_email": known.pop(EMAIL, None), "postcode": known.pop(POSTCODE, None)}
        rows.append({"order_id": order_id, "facts": known, "as_of": now, **proofs})
    with _opened(path) as database:
        if rows:
            with database.session() as session:
                session.execute(upsert(session, orders), rows)


@contextmanager
def _opened(path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        database.close()
