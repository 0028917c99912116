"""`paretodesk routing`: who answers which ticket, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from desk.inbox import Desk
from desk.routing.engine import Outcome, Router
from desk.routing.reading import outcome_json
from desk.routing.rules import Routing, load_routing
from desk.routing.subject import subject_of_text
from desk.sla import load_policies
from service.console_output import fail, note, out, print_json, progress_bar
from service.settings import Settings, load_settings
from service.wiring import encoder_of, open_desk, orders_of, routing_of, tagger_of

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
BATCH = 100  # tickets to a transaction


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    routing = typer.Typer(help="Routing: rules, teams, and where a ticket goes.", no_args_is_help=True)
    routing.command("check")(check)
    routing.command("explain")(explain)
    routing.command("apply")(apply)
    app.add_typer(routing, name="routing")


def check(
    file: Annotated[
        Path | None, typer.Argument(help="the file; PARETODESK_ROUTING or the shipped one if left out")
    ] = None,
    json: Json = False,
) -> None:
    """Check a routing file: every mistake with its line, or what the file says. Exit code 2 with mistakes."""
    settings = load_settings()
    policies = load_policies(Path(settings.sla) if settings.sla else None)
    routing = load_routing(file, policies=policies) if file else routing_of(settings, policies)
    empty = [team.id for team in routing.file.teams if not routing.in_team(team.id)]
    if json:
        members = [member.model_dump(mode="json") for member in routing.file.members]
        rules = [{"rule": r.id, "line": r.line, **r.entry.then.model_dump(mode="json")} for r in routing.rules]
        told = {"file": str(routing.source), "teams": [team.model_dump() for team in routing.file.teams]}
        print_json(told | {"members": members, "rules": rules, "teams_without_members": empty})
        return
    table = Table("rule", "line", "team", "assign", "priority")
    for rule in routing.rules:
        then = rule.entry.then
        table.add_row(rule.id, str(rule.line), then.team or "", str(then.assign or ""), str(then.priority or ""))
    out.print(table)
    count = f"{len(routing.file.teams)} teams, {len(routing.file.members)} members, {len(routing.rules)} rules"
    out.print(f"{routing.source}: {count}, no mistakes", markup=False, highlight=False, soft_wrap=True)
    if empty:
        note(f"without members, so that tickets wait there for whoever takes them: {', '.join(empty)}")


def explain(
    ticket: Annotated[str | None, typer.Argument(help="the ticket's id")] = None,
    text: Annotated[str | None, typer.Option(help="instead of a ticket: what a customer might write")] = None,
    subject: Annotated[str, typer.Option(help="with --text: its subject")] = "",
    channel: Annotated[str, typer.Option(help="with --text: where it would come from")] = "",
    marketplace: Annotated[str | None, typer.Option(help="with --text: such as amazon.de")] = None,
    language: Annotated[str | None, typer.Option(help="with --text: instead of the one found, such as de")] = None,
    json: Json = False,
) -> None:
    """Where a ticket, or a text as if it came now, goes: every rule with what it found, and who was considered."""
    if (ticket is None) == (text is None):
        fail("say either a ticket's id or --text")
    settings = load_settings()
    with open_desk(settings) as desk:
        router = _router(settings, desk)
        if ticket is not None:
            outcome = router.explain(ticket)
        else:
            tagger = tagger_of(settings, encoder_of(settings))
            if tagger.problem:
                note(f"no model says the reason: {tagger.problem}")
            tag = tagger.tag(subject, text or "")
            outcome = router.explain_subject(subject_of_text(tag, desk.policies, channel, marketplace, language))
    if json:
        print_json(({"ticket_id": ticket} if ticket else {}) | outcome_json(router.routing, outcome))
    else:
        _tell(router.routing, outcome)


def apply(
    everything: Annotated[bool, typer.Option("--all", help="those in a team, too: after the rules changed")] = False,
    json: Json = False,
) -> None:
    """Route open tickets now, those in no team; `paretodesk serve` routes each ticket when it is tagged."""
    settings = load_settings()
    looked = changed = 0
    with open_desk(settings) as desk, progress_bar() as step:
        router = _router(settings, desk)
        after = ""
        while ids := router.waiting(BATCH, after, everything=everything):
            changed += router.route(ids)
            looked, after = looked + len(ids), ids[-1]
            step("tickets", looked, looked)
    if json:
        print_json({"looked_at": looked, "changed": changed})
    else:
        out.print(f"{looked} open tickets looked at, {changed} routed", highlight=False)


def _router(settings: Settings, desk: Desk) -> Router:
    return Router(desk.database, routing_of(settings, desk.policies), desk.policies, orders_of(settings, desk.database))


def _tell(routing: Routing, outcome: Outcome) -> None:
    told = outcome_json(routing, outcome)
    for fit in told["rules"]:
        mark = "[green]yes[/]" if fit["matched"] else "no "
        decides = f" [bold]-> {', '.join(fit['decides'])}[/]" if fit["decides"] else ""
        out.print(f"{mark} {escape(fit['rule'])} (line {fit['line']}){decides}: {escape(fit['why'])}",
                  highlight=False, soft_wrap=True)  # fmt: skip
    for member in told["members"]:
        out.print(f"    {member['name']}: {member['why'] or 'can take it'}", markup=False, highlight=False)
    goes = [f"team {told['team_name']}" if told["team"] else "", f"to {told['assignee']}" if told["assignee"] else ""]
    goes.append(f"priority {told['priority']}" if told["priority"] else "")
    out.print(f"[bold]{escape(', '.join(filter(None, goes)) or 'nothing')}[/]", highlight=False)
    if told["held_by"]:
        out.print(f"a person gave it to {told['held_by']}, so that it stays there", markup=False, highlight=False)
