"""`paretodesk autonomy`: how far each contact reason is trusted, and from which probability the bot answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from bot.answers import Answers
from bot.autonomy import Dial, Step
from bot.autonomy_steps import Standing, Turning
from bot.decision import STARTER_DECISION, Decision, starter_decision
from bot.threshold_choice import Choice, choose, judge, store
from bot.trust import TrustSettings, needed, starter_trust
from kb.knowledge import KnowledgeBase
from service.console_output import fail, note, out, print_json, progress_bar
from service.indexing import own_index
from service.settings import load_settings
from service.wiring import encoder_of, open_desk, tagger_of

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Reason = Annotated[str, typer.Argument(help="contact reason")]
By = Annotated[str, typer.Option("--by", help="the person who answers for it; a user name where there are accounts")]
Why = Annotated[str, typer.Option("--why", help="kept in the history")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="How far each contact reason is trusted: suggest, draft or auto.", no_args_is_help=True)
    group.command("list")(list_levels)
    group.command("raise")(raise_level)
    group.command("lower")(lower_level)
    group.command("review")(review)
    group.command("thresholds")(thresholds)
    app.add_typer(group, name="autonomy")


@contextmanager
def _dial() -> Iterator[Dial]:
    with open_desk(load_settings()) as desk:
        yield Dial(desk.database, desk.taxonomy)


def list_levels(
    reason: Annotated[str | None, typer.Option("--reason", help="one reason, with its history")] = None,
    json: Json = False,
) -> None:
    """The level of every reason, what was measured, and what speaks against it."""
    settings = starter_trust()
    with _dial() as dial:
        if reason is not None:
            dial.start_of(reason)
        standings = [one for one in Turning(dial).standings() if reason in (None, one.reason)]
        steps = dial.history(reason) if reason is not None else []
    if json:
        told = [standing.to_json(settings) for standing in standings]
        print_json({"reasons": told, **({"history": [step.to_json() for step in steps]} if reason else {})})
        return
    out.print(_table(standings, settings))
    for step in steps:
        _tell(step)
    note(
        f"a step up takes at most {settings.max_wrong:.0%} wrong at {settings.confidence:.0%} confidence: "
        f"{needed(settings)} confirmed outcomes with none wrong, {needed(settings, 1)} with one"
    )


def raise_level(reason: Reason, by: By, why: Why = "", json: Json = False) -> None:
    """One level up; refused unless enough confirmed outcomes certify it."""
    with _dial() as dial:
        _tell(Turning(dial).up(reason, by, why), json)


def lower_level(reason: Reason, by: By, why: Why = "", json: Json = False) -> None:
    """One level down; the bot obeys at once."""
    with _dial() as dial:
        _tell(Turning(dial).down(reason, by, why), json)


def review(
    drifted: Annotated[
        list[str] | None, typer.Option("--drifted", help="a reason whose tickets have changed; may be repeated")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be taken back")] = False,
    json: Json = False,
) -> None:
    """Take back reasons that the last weeks speak against; `paretodesk serve` does it by itself every hour."""
    with _dial() as dial:
        for reason in drifted or ():
            dial.start_of(reason)
        turned = Turning(dial).review(drifted=drifted or (), dry_run=dry_run)
    if json:
        settings = starter_trust()
        print_json({"lowered": [standing.to_json(settings) for standing, _ in turned], "dry_run": dry_run})
        return
    for standing, step in turned:
        lower = step.level_to if step else standing.level.moved(-1)
        move = f"{standing.reason} {'would go' if dry_run else 'goes'} from {standing.level} to {lower}"
        out.print(f"{move}: {'; '.join(standing.against)}", markup=False, soft_wrap=True)
    if not turned:
        out.print("nothing speaks against any level", markup=False)


def thresholds(
    aim: Annotated[float, typer.Option("--wrong", min=0.001, max=0.5, help="share of wrong answers aimed at")] = 0.02,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="of the certificate")] = 0.95,
    write: Annotated[
        Path | None, typer.Option("--write", help="decision file to write to; '.' is the shipped one")
    ] = None,
    json: Json = False,
) -> None:
    """From which probability an article may be said: chosen on half of the known questions, measured on the other."""
    settings = load_settings()
    knowledge = KnowledgeBase.load(settings.content)
    encoder = encoder_of(settings)
    tagger = tagger_of(settings, encoder)
    if tagger.problem:
        fail(f"without a model no question is answered: {tagger.problem}")
    with own_index(settings, encoder, knowledge), progress_bar() as step:
        questions = knowledge.questions
        tags = tagger.tag_many([("", question.question) for question in questions])
        answers, decision = Answers(knowledge), Decision(starter_decision(), tagger.tagger.taxonomy)
        judged = judge(questions, tags, answers, decision, lambda done, of: step("questions", done, of))
    in_force = starter_decision().passage_threshold
    choice = choose(questions, judged, aim, 1 - confidence, in_force, tagger.model_id or "")
    if json:
        print_json(choice.to_json())
    else:
        _tell_choice(choice)
    if write is not None:
        path = STARTER_DECISION if str(write) == "." else write
        store(choice, path)
        note(f"{path}: threshold and certificate written")
    if not choice.met:
        raise typer.Exit(1)


def _table(standings: list[Standing], settings: TrustSettings) -> Table:
    table = Table("reason", "level", "confirmed", "wrong", "wrong at most", "helped", "ratings 4-5", "against it")
    for one in standings:
        found, recent = one.overall, one.recent
        bound = f"{found.wrong_at_most(settings.delta):.1%}" if found.n else ""
        judged = recent.helped + recent.not_solved
        table.add_row(
            one.reason,
            str(one.level),
            str(found.n),
            str(found.wrong),
            bound,
            f"{recent.helped} of {judged}" if judged else "",
            f"{recent.satisfied} of {recent.rated}" if recent.rated else "",
            escape("; ".join(one.against)),
        )
    return table


def _tell(step: Step, json: bool = False) -> None:
    if json:
        print_json(step.to_json())
        return
    line = f"{step.at:%Y-%m-%d %H:%M} {step.reason}: {step.level_from} -> {step.level_to} by {step.actor}: {step.why}"
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _tell_choice(choice: Choice) -> None:
    for one in choice.guarantees:
        told = f"from {one.threshold:.3f} on, {one.coverage:.0%} of {one.n}" if one.met else "cannot be certified"
        out.print(f"at most {one.target:.1%} wrong at {1 - choice.delta:.0%} confidence: {told}", highlight=False)
    kept = (
        "certified" if choice.met else "kept, because what is certified for more wrong answers would give more of them"
    )
    out.print(f"passage_threshold {choice.threshold:.4g} ({kept})", highlight=False)
    test = choice.test
    out.print(
        f"on the test half it answers {test.answered} of {test.questions} questions ({test.coverage:.0%}), "
        f"{test.wrong} wrong; at most {test.wrong_at_most:.1%} are, at {1 - choice.delta:.0%} confidence",
        highlight=False,
    )
