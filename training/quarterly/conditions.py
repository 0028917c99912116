"""The conditions of decisions.yaml: what each finds in the report, as figures in words for its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from desk.intervals import wilson
from desk.metrics.definitions import Metric, Unit
from desk.metrics.deflection import Part
from desk.metrics.shown import seconds_text, value_text
from training.quarterly.contents import Quarterly

Found = Mapping[str, str]
Limits = Mapping[str, float]
Condition = Callable[[Quarterly, Limits], Iterator[Found]]

_SHARE = Unit.SHARE


def percent(share: float | None) -> str:
    """``0.123`` -> ``12.3%``."""
    return value_text(share, _SHARE)


def points(change: float) -> str:
    """A change of shares in percentage points, signed."""
    return value_text(100 * change, Unit.POINTS)


def guard_below(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """The recall of human-only reasons may be below the limit: what counts is the lower bound."""
    model = report.model
    if model and model.guard and model.guard.low is not None and model.guard.low < limits["recall"]:
        yield {
            "recall": percent(model.guard.value),
            "low": percent(model.guard.low),
            "high": percent(model.guard.high),
            "n": f"{model.guard_n:,}",
            "limit": percent(limits["recall"]),
        }


def sla_below(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Compliance is below the limit by more than chance."""
    kept = report.metric(Metric.SLA_COMPLIANCE)
    estimate = kept.now.estimate if kept else None
    if kept and estimate and estimate.high is not None and estimate.high < limits["share"]:
        yield {
            "share": percent(estimate.value),
            "low": percent(estimate.low),
            "high": percent(estimate.high),
            "n": f"{kept.now.n:,}",
            "before": percent(kept.before.value),
            "limit": f"{limits['share']:.0%}",
        }


def first_response_over(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """One in ten answers takes longer than the limit by more than chance."""
    kept = report.metric(Metric.FRT)
    p90 = kept.now.spread.get("p90") if kept else None
    if kept and p90 and p90.low is not None and p90.low > 3600 * limits["hours"]:
        yield {
            "p90": seconds_text(p90.value),
            "median": seconds_text(kept.now.value or 0.0),
            "n": f"{kept.now.n:,}",
            "limit": f"{limits['hours']:g}",
        }


def top_five_without_macro(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """A reason of the top five that people answer without any locked macro."""
    answered = {line.reason: line for line in report.top.top_five if line.autonomy != "auto_close"}
    for cause in report.causes:
        if not cause.macros and (line := answered.get(cause.reason)):
            yield {"name": cause.name, "rank": str(line.rank), "tickets": f"{cause.tickets:,}"}


def top_five_with_cause(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """A reason of the top five whose usual cause lies upstream, the costliest first."""
    lines = {line.reason: line for line in report.top.top_five}
    for cause in sorted(report.causes, key=lambda one: (-(one.hours or 0.0), -one.tickets)):
        share = lines[cause.reason].share
        if cause.cause and cause.fix and share >= limits["share"]:
            yield {
                "name": cause.name,
                "tickets": f"{cause.tickets:,}",
                "share": percent(share),
                "hours": f", about {cause.hours:,.0f} hours of handling" if cause.hours else "",
                "cause": cause.cause[0].lower() + cause.cause[1:],
                "fix": cause.fix,
            }


def really_rising(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """A share that grew by more than chance and by more points than the limit."""
    for line in report.movement.real if report.movement else ():
        if 100 * line.change >= limits["points"]:
            yield {
                "name": line.name,
                "reason": line.reason,
                "then": percent(line.then),
                "now": percent(line.now),
                "change": points(line.change),
                "low": points(line.low),
                "high": points(line.high),
            }


def long_handle_time(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """A reason of the top five that takes much longer than tickets do on the whole, by more than chance."""
    kept = report.metric(Metric.AHT)
    overall = kept.now.value if kept else None
    topmost = {line.reason for line in report.top.top_five}
    for line in report.handle_times:
        mean = line.figure.estimate
        if overall is None or mean is None or mean.low is None or line.reason not in topmost:
            continue
        if mean.value > limits["times"] * overall and mean.low > overall and line.figure.n >= limits["tickets"]:
            yield {
                "name": line.name,
                "reason": line.reason,
                "mean": seconds_text(mean.value),
                "low": seconds_text(mean.low),
                "high": seconds_text(mean.high or 0.0),
                "n": f"{line.figure.n:,}",
                "overall": seconds_text(overall),
                "hours": f"about {line.hours:,.0f} hours",
            }


def chats_come_back(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Answered chats whose customers came back, more than the limit by more than chance."""
    chats = report.deflection.total if report.deflection else None
    share = chats.share(Part.CAME_BACK) if chats else None
    if chats and share and share.low is not None and chats.n >= limits["chats"] and share.low > limits["share"]:
        yield {
            "share": percent(share.value),
            "low": percent(share.low),
            "high": percent(share.high),
            "n": f"{chats.n:,}",
        }


def shift_alarm(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Alarms that `paretodesk shift` rang, together."""
    alarms = report.movement.alarms if report.movement else ()
    if alarms:
        yield {"messages": "; ".join(message.rstrip(".") for message in alarms)}


def undecided_above(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Tickets without a usable reason, more than the limit by more than chance."""
    low, high = wilson(report.top.undecided, report.top.total)
    if report.top.total and low > limits["share"]:
        share = percent(report.top.undecided / report.top.total)
        yield {"share": share, "low": percent(low), "high": percent(high), "n": f"{report.top.total:,}"}


def corrections_above(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Corrected tags among those that people looked at, more than the limit by more than chance."""
    labels = report.labels
    share = labels.corrected if labels else None
    if not (labels and share and share.low is not None):
        return
    if labels.looked_at >= limits["tickets"] and share.low > limits["share"]:
        yield {
            "share": percent(share.value),
            "low": percent(share.low),
            "high": percent(share.high),
            "n": f"{labels.looked_at:,}",
        }


def suspicious_above(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Labels that the audit doubts."""
    labels = report.labels
    if labels and labels.audited and labels.suspicious and labels.suspicious / labels.audited > limits["share"]:
        yield {
            "suspicious": f"{labels.suspicious:,}",
            "n": f"{labels.audited:,}",
            "share": percent(labels.suspicious / labels.audited),
            "contradictions": f"{labels.contradictions or 0:,}",
        }


def calibration_above(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """The stated confidence is further off than the limit."""
    if report.model and report.model.calibration_error > limits["error"]:
        yield {"error": percent(report.model.calibration_error), "limit": percent(limits["error"])}


def weak_top_reason(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """A reason of the top five among the weakest of the model."""
    topmost = {line.reason for line in report.top.top_five}
    for weak in report.model.weakest if report.model else ():
        if weak.reason in topmost and weak.f1 < limits["f1"]:
            yield {"name": weak.name, "f1": f"{weak.f1:.2f}", "n": f"{weak.n:,}"}


def last_refused(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """The newest version was refused."""
    if report.model and report.model.last_promoted is False:
        because = "; ".join(report.model.last_because).rstrip(".") or "no reason was recorded"
        yield {"version": report.model.last_version, "because": because}


def emerging_cluster(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Evident clusters of tickets, the largest first."""
    for cluster in sorted(report.emerging or (), key=lambda one: -one.tickets):
        if cluster.evident and cluster.tickets >= limits["tickets"]:
            yield {
                "name": cluster.name,
                "id": cluster.id,
                "tickets": f"{cluster.tickets:,}",
                "nearest": f"; the model takes most of them for {cluster.nearest}" if cluster.nearest else "",
            }


def trust_against(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Measurements speak against the level of a reason."""
    for one in report.trust:
        if one.against:
            yield {"name": one.name, "reason": one.reason, "level": one.level, "against": "; ".join(one.against)}


def trust_may_rise(report: Quarterly, limits: Limits) -> Iterator[Found]:
    """Confirmed outcomes certify the next level of a reason."""
    for one in report.trust:
        if one.may_rise:
            yield {"name": one.name, "reason": one.reason, "level": one.level, "n": f"{one.n:,}"}


CONDITIONS: Mapping[str, Condition] = {
    condition.__name__: condition
    for condition in (
        guard_below, sla_below, first_response_over, top_five_without_macro, top_five_with_cause, really_rising,
        long_handle_time, chats_come_back, shift_alarm, undecided_above, corrections_above, suspicious_above,
        calibration_above, weak_top_reason, last_refused, emerging_cluster, trust_against, trust_may_rise,
    )
}  # fmt: skip
"""Conditions by the name that rules use."""
