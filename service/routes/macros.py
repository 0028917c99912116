"""The macro library over HTTP: the same steps as `paretodesk macros`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from desk.macro_library import LONGEST_BODY
from kb.macro_life import LONGEST_NAME, person
from kb.macros import Macro, MacroFields, MacroKind, MacroStatus
from kb.policy import check_rendered
from kb.policy.rules import STRICTEST
from kb.rendering import Missing, render
from kb.suggestions import policy_context
from service.identity import Principal
from service.problems import ProblemError
from service.routes.dependencies import ServicesDep, Who, allow
from service.suggesting import marketplace_of, order_facts

router = APIRouter(prefix="/v1/macros", tags=["macros"])

_ID = r"^[a-z0-9][a-z0-9_-]*$"
_LOCALE = r"^[a-z]{2}$"
Id = Annotated[str, PathParameter(max_length=100, pattern=_ID)]
Locale = Annotated[str, PathParameter(max_length=10, pattern=_LOCALE)]
Number = Annotated[int, PathParameter(ge=1, le=1_000_000)]


class Step(BaseModel):
    """Who acts; the name is in the audit log. Where there are accounts it is that of who signed in."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(None, min_length=1, max_length=LONGEST_NAME)


class Retirement(Step):
    """Who takes the macro out of service, and why."""

    why: str = Field("", max_length=1_000)


class Words(Step):
    """What a macro says, when, and where."""

    reason: str = Field(max_length=100)
    title: str = Field(min_length=1, max_length=200)
    marketplace: tuple[str, ...] = Field(("any",), min_length=1, max_length=50)
    kind: MacroKind = MacroKind.REPLY
    when: dict[str, list[str]] = Field(default_factory=dict, max_length=20)
    body: str = Field(max_length=LONGEST_BODY)


class NewMacro(Words):
    """A macro that is not there yet, in one language."""

    id: str = Field(max_length=100, pattern=_ID)
    locale: str = Field(max_length=10, pattern=_LOCALE)


class Edit(Words):
    """The next version of a macro. ``based_on`` is the newest version, the one that was edited."""

    based_on: int = Field(ge=1)


class Filling(BaseModel):
    """What to fill a macro with: a ticket's facts, further ones, or both; ``facts`` win."""

    model_config = ConfigDict(extra="forbid")

    ticket_id: str | None = Field(None, max_length=100)
    facts: dict[str, Any] = Field(default_factory=dict, max_length=100)
    marketplace: str | None = Field(None, max_length=50)


@router.get("", dependencies=[allow("macros:read")])
def listed(
    services: ServicesDep,
    locale: Annotated[str | None, Query(max_length=10)] = None,
    reason: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Every macro: which version serves and which is in work."""
    found = services.macros.macros()
    wanted = [m for m in found if locale in (None, m.newest.locale) and reason in (None, m.newest.reason)]
    return {"macros": [macro.to_json() for macro in wanted]}


@router.post("", dependencies=[allow("macros:write")], status_code=201)
def new(words: NewMacro, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Save a macro as a draft and check it by the policy; it is `checked` when nothing blocks."""
    by = _by(who, words)
    return services.macros.write(_macro(words, words.id, words.locale, by), by).to_json()


@router.get("/{locale}/{macro_id}", dependencies=[allow("macros:read")])
def show(locale: Locale, macro_id: Id, services: ServicesDep) -> dict[str, Any]:
    """All versions of a macro, oldest first."""
    return {"versions": [version.to_json() for version in services.macros.versions(macro_id, locale)]}


@router.get("/{locale}/{macro_id}/history", dependencies=[allow("macros:read")])
def history(locale: Locale, macro_id: Id, services: ServicesDep) -> dict[str, Any]:
    """The audit log of a macro, oldest first."""
    return {"changes": [change.to_json() for change in services.macros.history(macro_id, locale)]}


@router.post("/{locale}/{macro_id}/versions", dependencies=[allow("macros:write")], status_code=201)
def edit(locale: Locale, macro_id: Id, words: Edit, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Save the next version and check it; the locked one serves until this one is locked."""
    by = _by(who, words)
    return services.macros.write(_macro(words, macro_id, locale, by), by, words.based_on).to_json()


@router.get("/{locale}/{macro_id}/versions/{version}", dependencies=[allow("macros:read")])
def show_version(locale: Locale, macro_id: Id, version: Number, services: ServicesDep) -> dict[str, Any]:
    """One version of a macro."""
    return services.macros.version(macro_id, locale, version).to_json()


@router.post("/{locale}/{macro_id}/versions/{version}/check", dependencies=[allow("macros:write")])
def check(locale: Locale, macro_id: Id, version: Number, step: Step, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Check a saved version by the rules in force today."""
    return services.macros.check(macro_id, locale, version, _by(who, step)).to_json()


@router.post("/{locale}/{macro_id}/versions/{version}/approve", dependencies=[allow("macros:approve")])
def approve(
    locale: Locale, macro_id: Id, version: Number, step: Step, services: ServicesDep, who: Who
) -> dict[str, Any]:
    """Approve a checked version, as another person than its author."""
    return services.macros.approve(macro_id, locale, version, _by(who, step)).to_json()


@router.post("/{locale}/{macro_id}/versions/{version}/lock", dependencies=[allow("macros:approve")])
def lock(locale: Locale, macro_id: Id, version: Number, step: Step, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Let an approved version serve, within seconds and without a restart."""
    return services.macros.lock(macro_id, locale, version, _by(who, step)).to_json()


@router.post("/{locale}/{macro_id}/versions/{version}/render", dependencies=[allow("macros:read")])
def render_version(
    locale: Locale, macro_id: Id, version: Number, filling: Filling, services: ServicesDep
) -> dict[str, Any]:
    """The version filled with facts and checked by the policy: its text, or why there is none. Nothing is sent."""
    macro = services.macros.version(macro_id, locale, version).macro
    facts, marketplace = dict(filling.facts), filling.marketplace
    if filling.ticket_id:
        view = services.desk.ticket(filling.ticket_id)
        facts = order_facts(services, view) | facts
        marketplace = marketplace or marketplace_of(view)
    known = services.macros.vocabulary.with_derived(facts)
    rendered = render(macro, known)
    answer: dict[str, Any] = {"text": None, "missing": [], "unusable": {}, "unmet": list(macro.unmet(known))}
    if isinstance(rendered, Missing):
        return answer | {"missing": list(rendered.facts), "unusable": dict(rendered.unusable), "violations": []}
    violations = check_rendered(macro, rendered, marketplace=marketplace or STRICTEST, context=policy_context(known))
    found = [{"rule": v.rule, "severity": v.severity.value, "span": list(v.span), "message": v.message,
              "remedy": v.remedy} for v in violations]  # fmt: skip
    said = rendered.text if not answer["unmet"] and not any(v.blocks for v in violations) else None
    return answer | {"text": said, "violations": found}


@router.post("/{locale}/{macro_id}/retire", dependencies=[allow("macros:approve")])
def retire(locale: Locale, macro_id: Id, step: Retirement, services: ServicesDep, who: Who) -> dict[str, Any]:
    """Take a macro out of service, with any version in work."""
    return services.macros.retire(macro_id, locale, _by(who, step), step.why).to_json()


def _by(who: Principal, step: Step) -> str:
    if name := who.person(step.by):
        return name
    raise ProblemError(422, "body.by: say who acts, as long as there are no accounts")


def _macro(words: Words, macro_id: str, locale: str, by: str) -> Macro:
    try:
        fields = MacroFields(
            id=macro_id, locale=locale, reason=words.reason, title=words.title, marketplace=words.marketplace,
            kind=words.kind, when={name: tuple(values) for name, values in words.when.items()}, version=1,
            status=MacroStatus.DRAFT, author=person(by),
        )  # fmt: skip
    except ValidationError as error:
        mistakes = [{"where": ".".join(map(str, m["loc"])), "what": m["msg"]} for m in error.errors()]
        raise ProblemError(422, f"{mistakes[0]['where']}: {mistakes[0]['what']}", errors=mistakes) from error
    return Macro(fields, words.body, Path("macros", locale, macro_id), 1)
