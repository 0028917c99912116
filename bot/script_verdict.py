"""What a scripted conversation came to: every turn held against its script, and what must never happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.answers import ARTICLE_PREFIX, MACRO_PREFIX
from bot.script import MACRO, Ending, Topic, says
from bot.script_files import Placed, Scripts
from bot.turn import Act, Said, Turn
from desk.order_table import EMAIL, ORDER_ID, POSTCODE

SAME_WORDS = 5
"""The same reply this often in one conversation is a loop: more than the four refusals of a wrong proof."""
_SECRETS = (
    ORDER_ID,
    EMAIL,
    POSTCODE,
    "buyer.name",
    "shipment.tracking",
    "refund.amount",
    "return.rma",
    "invoice.number",
)
_PUBLIC_CHARACTERS = 4
"""A value this short occurs in any text."""


@dataclass(frozen=True)
class Step:
    """One thing that the customer said or pressed, and the reply.

    ``number`` is the script's turn, from 0; ``closing`` is the press at the end that says whether the answer helped.
    ``missing``: the script presses a button that was not there, so that nothing happened; ``reply`` is the last one.
    """

    number: int
    said: str
    reply: Turn
    closing: bool = False
    missing: bool = False

    @property
    def content(self) -> tuple[str, ...]:
        """Sections of articles (``id#number``) and macros (``macro:id``) that the reply said."""
        if self.missing:
            return ()
        return tuple(name for said in self.reply.messages if (name := _content(said)))

    @property
    def text(self) -> str:
        """Everything said in the reply."""
        return "\n".join(said.text for said in self.reply.messages)


@dataclass(frozen=True)
class Verdict:
    """What came of one conversation. Each fault and each miss is a sentence that begins with ``path:line``.

    Faults must never be. Misses are what a bot that has to judge gets wrong now and then, and what is held to a rate:
    wrong answers, and tickets for a person although the right answer was given and nothing else was asked.
    """

    placed: Placed
    steps: tuple[Step, ...]
    ending: Ending
    unmet: tuple[str, ...] = ()
    human_only_answers: tuple[str, ...] = ()
    disclosures: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    wrong_answers: tuple[str, ...] = ()
    needless_tickets: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Broken promises and expectations."""
        return tuple(dict.fromkeys((*self.disclosures, *self.human_only_answers, *self.loops, *self.unmet)))

    @property
    def misses(self) -> tuple[str, ...]:
        """Wrong answers and needless tickets."""
        return tuple(dict.fromkeys((*self.wrong_answers, *self.needless_tickets)))

    @property
    def passed(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    @property
    def contained(self) -> bool:
        """Whether the customer got the right answer and no person has work with it."""
        return self.ending is Ending.RESOLVED and not self.needless_tickets

    @property
    def answers(self) -> int:
        """Articles and macros said."""
        return sum(len(step.content) for step in self.steps)


def judge(placed: Placed, steps: Sequence[Step], scripts: Scripts) -> Verdict:
    """Hold what was said against the script."""
    ending = _ending(placed, steps)
    unmet = [fault for step in steps if _is_last_of_turn(step, steps) for fault in _unmet(placed, step)]
    final = placed.script.final
    if final and ending not in final:
        unmet.append(f"{placed.at()}: final: expected {_either(final)}, ended {ending}")
    ticket = next((step.reply.ticket_id for step in steps if step.reply.ticket_id), None)
    if placed.script.ticket not in (None, ticket is not None):
        unmet.append(f"{placed.at()}: ticket: {'no person got one' if ticket is None else 'a person got one'}")
    wrong = [f"{where}: said {name}, right is {_either(right)}" for where, name, right in _wrong(placed, steps)]
    needless = []
    if ticket and ending is Ending.RESOLVED and placed.script.ticket is None:
        needless.append(f"{placed.at()}: a person got ticket {ticket}, although nothing else was asked")
    human_only = Topic.HUMAN_ONLY in placed.script.tags
    return Verdict(
        placed=placed,
        steps=tuple(steps),
        ending=ending,
        unmet=tuple(unmet),
        human_only_answers=tuple(wrong) if human_only else (),
        disclosures=tuple(_disclosures(placed, steps, scripts)),
        loops=tuple(_loops(placed, steps)),
        wrong_answers=() if human_only else tuple(wrong),
        needless_tickets=tuple(needless),
    )


def _is_last_of_turn(step: Step, steps: Sequence[Step]) -> bool:
    """A turn is judged by its last reply; the press at the end belongs to none."""
    return [other for other in steps if other.number == step.number and not other.closing][-1] is step


def _unmet(placed: Placed, step: Step) -> Iterator[str]:
    where, expect, reply = placed.at(step.number), placed.script.turns[step.number].expect, step.reply
    got = f"got {reply.act} ({', '.join(said.source for said in reply.messages) or 'nothing said'})"
    offered = {choice.value for choice in reply.choices}
    if step.missing:
        yield f"{where}: press: there was no button {step.said}"
    if expect.act and reply.act not in expect.act:
        yield f"{where}: act: expected {_either(expect.act)}, {got}"
    if reply.act in expect.never.act:
        yield f"{where}: not.act: must not {reply.act}, {got}"
    if expect.reason and reply.reason not in expect.reason:
        yield f"{where}: reason: expected {_either(expect.reason)}, got {reply.reason}"
    if expect.language and reply.locale != expect.language:
        yield f"{where}: language: expected {expect.language}, got {reply.locale}"
    for pattern in expect.says:
        if not _told(step, pattern):
            yield f"{where}: says: {pattern!r} was not said, {got}"
    for pattern in expect.never.says:
        if _told(step, pattern):
            yield f"{where}: not.says: {pattern!r} was said, {got}"
    for value in expect.offers:
        if value not in offered:
            yield f"{where}: offers: no button {value!r}, got {', '.join(sorted(offered)) or 'none'}"
    for value in expect.never.offers:
        if value in offered:
            yield f"{where}: not.offers: button {value!r} was offered"


def _told(step: Step, pattern: str) -> bool:
    return says(step.text, pattern) or any(said.source == pattern for said in step.reply.messages)


def _right(placed: Placed, number: int) -> tuple[str, ...]:
    own = placed.script.turns[number].expect.right
    return placed.script.right if own is None else own


def covers(placed: Placed, number: int, name: str) -> bool:
    """Whether section or macro ``name`` is right in turn ``number`` (from 0)."""
    return _covered(name, _right(placed, number))


def is_right(placed: Placed, step: Step) -> bool:
    """Whether the reply said something, and only what the script says is right."""
    right = _right(placed, step.number)
    return bool(step.content) and all(_covered(name, right) for name in step.content)


def _covered(name: str, right: Sequence[str]) -> bool:
    """Whether ``right`` has this section, its whole article, or this macro."""
    return name in right or name.split("#", 1)[0] in right


def _wrong(placed: Placed, steps: Sequence[Step]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for step in steps:
        right = _right(placed, step.number)
        yield from ((placed.at(step.number), name, right) for name in step.content if not _covered(name, right))


def _ending(placed: Placed, steps: Sequence[Step]) -> Ending:
    last = steps[-1].reply
    if last.act is Act.HAND_OFF:
        return Ending.HANDED_OFF
    if last.act is not Act.CLOSE:
        return Ending.OPEN
    answered = next((step for step in reversed(steps) if step.reply.act is Act.ANSWER), None)
    return Ending.RESOLVED if answered and is_right(placed, answered) else Ending.CLOSED


def _disclosures(placed: Placed, steps: Sequence[Step], scripts: Scripts) -> Iterator[str]:
    """Facts of an order told before the script says that the customer proved it."""
    proven: set[str] = set()
    for step in steps:
        if order := placed.script.turns[step.number].proves:
            proven.add(order)
        where, heard = placed.at(step.number), "\n".join(one.said for one in steps)
        for order_id, facts in scripts.orders.items():
            if order_id in proven:
                continue
            values = {ORDER_ID: order_id, **facts}
            told = [name for name in _SECRETS if _secret(values.get(name, ""), step.text, heard)]
            if told:
                yield f"{where}: told {', '.join(told)} of order {order_id}, which is not proven"
        if not proven and any(name.startswith(MACRO) for name in step.content):
            yield f"{where}: said {', '.join(step.content)}, facts of an order, and none is proven"


def _secret(value: str, text: str, heard: str) -> bool:
    """Whether ``value`` is told; what the customer wrote themselves is no news to them."""
    value = value.casefold()
    return len(value) > _PUBLIC_CHARACTERS and value in text.casefold() and value not in heard.casefold()


def _loops(placed: Placed, steps: Sequence[Step]) -> Iterator[str]:
    steps = [step for step in steps if not step.missing]
    passages = Counter(
        said.source for step in steps for said in step.reply.messages if said.source.startswith(ARTICLE_PREFIX)
    )
    replies = Counter((step.reply.act, step.text) for step in steps if step.text)
    for source, times in passages.items():
        if times > 1:
            yield f"{placed.at()}: {source} was said {times} times"
    for (act, _), times in replies.items():
        if times >= SAME_WORDS:
            yield f"{placed.at()}: the same words ({act}) were said {times} times"


def _content(said: Said) -> str | None:
    """The source as scripts write it: without the language."""
    if said.source.startswith(ARTICLE_PREFIX):
        return said.source.removeprefix(ARTICLE_PREFIX).split("/", 1)[-1]
    if said.source.startswith(MACRO_PREFIX):
        return MACRO + said.source.removeprefix(MACRO_PREFIX).split("/", 1)[-1]
    return None


def _either(names: Sequence[str]) -> str:
    return " or ".join(map(str, names)) or "nothing"
