"""Reports as JSON and as pages."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from desk.report_page import render_top_reasons
from desk.top_reasons import TopReasons, top_reasons
from service.routes.dependencies import ServicesDep, Staff
from service.windows import newest_window
from service.wiring import Services

router = APIRouter(tags=["reports"], dependencies=[Staff])

Start = Annotated[date | None, Query(alias="from", description="first day, inclusive (UTC)")]
End = Annotated[date | None, Query(alias="to", description="day after the last (UTC)")]
Filter = Annotated[str | None, Query(max_length=100)]


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
