"""Reports as JSON, as CSV and as pages."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from desk.metrics import documents, spreadsheet
from desk.metrics.definitions import Metric
from desk.metrics.deflection import ChatDimension, ChatScope, Part, chats_behind, deflection_report
from desk.metrics.macros import macro_report
from desk.metrics.page import overview, render
from desk.metrics.query import MAX_TICKETS, Side, metrics_report, tickets_behind
from desk.metrics.scope import MAX_FILTER_VALUES, Dimension, Period, Scope, grouping
from desk.metrics.upstream import upstream_report
from desk.report_page import render_top_reasons
from desk.top_reasons import TopReasons, top_reasons
from service.measuring import chat_scope, ticket_link, ticket_scope
from service.routes.dependencies import ServicesDep, allow
from service.windows import newest_window
from service.wiring import Services

router = APIRouter(tags=["reports"], dependencies=[allow("reports:read")])

Start = Annotated[date | None, Query(alias="from", description="first day, inclusive (UTC)")]
End = Annotated[date | None, Query(alias="to", description="day after the last (UTC)")]
Filter = Annotated[str | None, Query(max_length=100)]
Value = Annotated[str, Field(max_length=500)]
Values = Annotated[list[Value] | None, Field(max_length=MAX_FILTER_VALUES)]


class Form(StrEnum):
    """How a report is written."""

    JSON = "json"
    CSV = "csv"


class WindowQuery(BaseModel):
    """The days of a report; without them the 90 that end with the newest ticket."""

    model_config = ConfigDict(extra="forbid")

    start: date | None = Field(None, alias="from", description="first day, inclusive")
    end: date | None = Field(None, alias="to", description="day after the last")
    timezone: str = Field("UTC", max_length=64, description="of the days, such as Europe/Paris")


class TicketQuery(WindowQuery):
    """Which tickets count. A filter may be given several times; `(none)` and `undecided`: tickets without a value."""

    channel: Values = None
    marketplace: Values = None
    language: Values = None
    reason: Values = None
    agent: Values = None
    team: Values = None
    product: Values = Field(None, description="ASIN")
    carrier: Values = None
    fulfilment: Values = Field(None, description="fba or fbm")
    priority: Values = None

    def scope(self, services: Services) -> Scope:
        """Raises `WindowError`."""
        filters = {dimension.value: getattr(self, dimension.value) for dimension in Dimension}
        return ticket_scope(services.desk, self.start, self.end, self.timezone, filters)


class MetricsQuery(TicketQuery):
    """A metrics report."""

    by: Dimension | Period | None = None
    format: Form | Literal["html"] = Form.JSON


class MacrosQuery(TicketQuery):
    """A macro report."""

    format: Form = Form.JSON


class BehindQuery(TicketQuery):
    """Tickets behind a figure. ``side``: all that count, those in the numerator, or those that are not in it."""

    metric: Metric
    side: Side = Side.COUNTED
    limit: int = Field(100, ge=1, le=MAX_TICKETS)
    offset: int = Field(0, ge=0, le=2**31)
    format: Form = Form.JSON


class ChatQuery(WindowQuery):
    """Which chats count; without days those of the last 90."""

    site: Values = None
    language: Values = None
    reason: Values = None

    def scope(self) -> ChatScope:
        """Raises `WindowError`."""
        filters = {dimension.value: getattr(self, dimension.value) for dimension in ChatDimension}
        return chat_scope(self.start, self.end, self.timezone, filters)


class DeflectionQuery(ChatQuery):
    """A report on chats."""

    by: ChatDimension | Period | None = None
    format: Form = Form.JSON


class ChatsBehindQuery(ChatQuery):
    """Chats behind a figure."""

    part: Part | None = None
    limit: int = Field(100, ge=1, le=MAX_TICKETS)
    offset: int = Field(0, ge=0, le=2**31)


@router.get("/v1/reports/top-reasons")
def top_reasons_json(
    services: ServicesDep,
    start: Start = None,
    end: End = None,
    channel: Filter = None,
    marketplace: Filter = None,
    language: Filter = None,
) -> dict[str, Any]:
    """The top five reasons and all others of a window: counts, shares, Pareto line, causes and fixes."""
    return _report(services, start, end, channel, marketplace, language).to_json()


@router.get("/report", response_class=HTMLResponse, include_in_schema=False)
def top_reasons_page(
    services: ServicesDep,
    start: Start = None,
    end: End = None,
    channel: Filter = None,
    marketplace: Filter = None,
    language: Filter = None,
) -> str:
    """The report as a page."""
    return render_top_reasons(_report(services, start, end, channel, marketplace, language))


@router.get("/v1/reports/metrics", response_model=None)
def metrics(services: ServicesDep, query: Annotated[MetricsQuery, Query()]) -> Response:
    """Volume, response and resolution times, FCR, AHT, CSAT, NPS, reopenings, SLA compliance and macro use.

    Each with n, a 95% interval and a link to the tickets behind it; as a whole and `by` a dimension, day or week.
    """
    scope, by = query.scope(services), grouping(query.by)
    if query.format == "html":
        return HTMLResponse(_page(services, scope, by))
    report = metrics_report(services.database, services.taxonomy, scope, by)
    if query.format is Form.CSV:
        return _csv("metrics", spreadsheet.metrics_csv(report))
    return JSONResponse(documents.metrics_document(report, ticket_link))


@router.get("/report/metrics", response_class=HTMLResponse, include_in_schema=False)
def metrics_page(services: ServicesDep, query: Annotated[MetricsQuery, Query()]) -> str:
    """The metrics, macros, chats and upstream fixes as a page."""
    return _page(services, query.scope(services), grouping(query.by))


@router.get("/v1/reports/tickets", response_model=None)
def tickets(services: ServicesDep, query: Annotated[BehindQuery, Query()]) -> Response:
    """The tickets behind a figure: the longest first for durations, else by time."""
    scope = query.scope(services)
    behind = tickets_behind(services.database, scope, query.metric, query.side, limit=query.limit, offset=query.offset)
    if query.format is Form.CSV:
        return _csv(f"tickets-{query.metric}", spreadsheet.tickets_csv(behind))
    return JSONResponse(documents.tickets_document(behind))


@router.get("/v1/reports/macros", response_model=None)
def macros(services: ServicesDep, query: Annotated[MacrosQuery, Query()]) -> Response:
    """What happened after each macro was sent, against answered tickets of the same reason without it."""
    report = macro_report(services.database, services.taxonomy, query.scope(services))
    if query.format is Form.CSV:
        return _csv("macros", spreadsheet.macros_csv(report))
    return JSONResponse(documents.macros_document(report))


@router.get("/v1/reports/deflection", response_model=None)
def deflection(services: ServicesDep, query: Annotated[DeflectionQuery, Query()]) -> Response:
    """What became of the chats: confirmed, silent, came back within 7 days, escalated, abandoned."""
    report = deflection_report(services.database, services.taxonomy, query.scope(), query.by)
    if query.format is Form.CSV:
        return _csv("deflection", spreadsheet.deflection_csv(report))
    return JSONResponse(documents.deflection_document(report))


@router.get("/v1/reports/chats")
def chats(services: ServicesDep, query: Annotated[ChatsBehindQuery, Query()]) -> dict[str, Any]:
    """The chats behind a part of the deflection report, by time."""
    scope = query.scope()
    found = chats_behind(services.database, scope, query.part, limit=query.limit, offset=query.offset)
    return documents.chats_document(scope, query.part, found)


@router.get("/v1/reports/upstream")
def upstream(services: ServicesDep, query: Annotated[TicketQuery, Query()]) -> dict[str, Any]:
    """Tickets per week of each contact reason, with its usual cause and what to fix at the source."""
    return documents.upstream_document(upstream_report(services.database, services.taxonomy, query.scope(services)))


@router.get("/v1/reports/definitions")
def definitions() -> dict[str, Any]:
    """What each figure of the reports means."""
    return documents.definitions_document()


def _page(services: Services, scope: Scope, by: Dimension | Period | None) -> str:
    return render(overview(services.database, services.taxonomy, scope, by), link=ticket_link)


def _csv(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _report(
    services: Services,
    start: date | None,
    end: date | None,
    channel: str | None,
    marketplace: str | None,
    language: str | None,
) -> TopReasons:
    window = newest_window(services.desk, start, end)
    return top_reasons(services.desk, services.taxonomy, *window, channel, marketplace, language)
