"""How a conversation ended: a pure function of its turns, and of what the same customer did afterwards.

Silence is not success: nobody who simply stops writing counts as helped, and who comes back within a week was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.session_store import CAME_BACK, ESCALATED, StoredTurn
from bot.turn import NOT_SOLVED, SOLVED, Act, Role
from bot.wording import SOURCE

COMES_BACK = timedelta(days=7)
"""As for first contact resolution; docs/domain.md section 6."""
PAUSE = timedelta(hours=1)
"""Who writes again after an answer and so long a pause has come back; sooner, the conversation is still going on."""
_SOLVED_SOURCE = f"{SOURCE}:close_solved"
_POLITE = frozenset({f"{SOURCE}:close_solved", f"{SOURCE}:close_thanks"})


class Outcome(StrEnum):
    """How a conversation ended."""

    CONFIRMED = "confirmed"  # answered, and the customer said that it helped
    SILENT = "silent"  # answered, and nothing more was heard
    CAME_BACK = CAME_BACK  # answered, and the same customer, order or session wrote again within 7 days
    ESCALATED = ESCALATED  # a person got it
    ABANDONED = "abandoned"  # the customer left before any answer


@dataclass(frozen=True, slots=True)
class Ending:
    """An outcome, None for a conversation without a question; ``final`` once nothing can change it any more."""

    outcome: Outcome | None
    final: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer of the bot: ``helped`` says what the customer told, None where they told nothing."""

    reason: str
    at: datetime
    helped: bool | None


def ending_of(turns: Sequence[StoredTurn], now: datetime, *, escalated: bool, later: Iterable[datetime] = ()) -> Ending:
    """How the conversation of ``turns``, in order, stands ``now``.

    ``escalated``: it has a ticket. ``later`` are moments at which the same customer wrote elsewhere, or somebody about
    the same order.
    """
    if escalated:
        return Ending(Outcome.ESCALATED, final=True)
    said = [turn for turn in turns if turn.role is Role.CUSTOMER]
    answered = any(turn.act == Act.ANSWER for turn in turns)
    if not said or (not answered and any(turn.act == Act.CLOSE for turn in turns)):
        return Ending(None, final=_over(turns, now))
    if not answered:
        return Ending(Outcome.ABANDONED, final=_over(turns, now))
    last = turns[-1].at
    if _came_back_here(turns) or any(last < moment <= last + COMES_BACK for moment in later):
        return Ending(Outcome.CAME_BACK, final=True)
    return Ending(Outcome.CONFIRMED if _confirmed(turns) else Outcome.SILENT, final=_over(turns, now))


def answers_of(turns: Sequence[StoredTurn]) -> list[Answered]:
    """The answers given, each with what the customer told about it: the measure of how far a reason can be trusted."""
    found = []
    for place, turn in enumerate(turns):
        if turn.act != Act.ANSWER or turn.reason is None or (turn.source or "").startswith(f"{SOURCE}:"):
            continue
        after = [later for later in turns[place + 1 :] if later.act != Act.ANSWER or later.role is Role.CUSTOMER]
        found.append(Answered(turn.reason, turn.at, _helped(turn.reason, after)))
    return found


def _helped(reason: str, after: Sequence[StoredTurn]) -> bool | None:
    """What the next message said about an answer on ``reason``, as the bot understood it.

    A new question that a person must answer says nothing about the old one.
    """
    heard = next((place for place, turn in enumerate(after) if turn.role is Role.CUSTOMER), None)
    if heard is None:
        return None
    pressed, reply = after[heard].source or "", after[heard + 1] if heard + 1 < len(after) else None
    if pressed == f"choice:{SOLVED}" or (reply is not None and reply.source == _SOLVED_SOURCE):
        return True
    handed_off = reply is not None and reply.act == Act.HAND_OFF and reply.reason == reason
    if pressed == f"choice:{NOT_SOLVED}" or handed_off:
        return False
    return None


def _confirmed(turns: Sequence[StoredTurn]) -> bool:
    """Whether the customer said that it helped, or thanked, upon the last answer, with no question between or after."""
    confirmed = open_answer = False
    for turn in turns:
        if turn.act is None:
            continue
        if turn.act == Act.CLOSE:
            confirmed = confirmed or (open_answer and turn.source in _POLITE)
        else:
            confirmed, open_answer = False, turn.act == Act.ANSWER
    return confirmed


def _came_back_here(turns: Sequence[StoredTurn]) -> bool:
    """Whether the customer wrote in the same session again, after an answer and a pause, more than a polite word."""
    answered_at: datetime | None = None
    for place, turn in enumerate(turns):
        if turn.role is Role.CUSTOMER:
            reply = turns[place + 1] if place + 1 < len(turns) else None
            polite = reply is not None and reply.source in _POLITE
            if answered_at and not polite and PAUSE < turn.at - answered_at <= COMES_BACK:
                return True
        elif turn.act in (Act.ANSWER, Act.CLOSE) and (answered_at or turn.act == Act.ANSWER):
            answered_at = turn.at
    return False


def _over(turns: Sequence[StoredTurn], now: datetime) -> bool:
    return bool(turns) and now > turns[-1].at + COMES_BACK
