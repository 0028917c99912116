"""The model card: what a model was fitted on, what it can do, when it abstains. Markdown, from plain figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def render_card(
    *,
    name: str,
    version: str,
    created_at: str,
    data: Mapping[str, Any],
    fit: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    guarantees: Sequence[Mapping[str, Any]],
    verdict: Mapping[str, Any] | None = None,
    guard: Mapping[str, Any] | None = None,
) -> str:
    """The card as Markdown.

    ``data`` and ``fit`` are listed as they come. ``evaluation`` has the shape of
    `training.evaluation.Evaluation.to_json`, ``guarantees`` that of `classifier.abstention.Guarantee`, ``verdict``
    that of `training.promotion.Verdict.to_json` and ``guard`` that of `training.guard_evaluation.GuardEvaluation`.
    """
    parts = [f"# Model card: {name} {version}", "", f"Fitted {created_at}.", ""]
    parts += ["## Data", "", *_bullets(data), "", "## Fit", "", *_bullets(fit), ""]
    parts += ["## When it abstains", "", *_guarantees(guarantees), ""]
    if evaluation:
        parts += ["## Measured on tickets that it never learned from", "", *_overall(evaluation), ""]
        for kind in ("language", "channel"):
            if slices := evaluation.get(f"per_{kind}"):
                parts += _table(
                    f"By {kind}",
                    (kind, "n", "accuracy", "macro-F1", "coverage", "error when tagged"),
                    (
                        (key, f["n"], _f(f["accuracy"]), _f(f["macro_f1"]), _f(f["coverage"]), _f(f["selective_error"]))
                        for key, f in slices.items()
                    ),
                )
        parts += _table(
            "By label",
            ("label", "n", "precision", "recall", "F1", "coverage", "error when tagged"),
            (
                (
                    key, f["n"], _f(f["precision"]), _f(f["recall"]), _f(f["f1"]),
                    _f(f["coverage"]), _f(f["selective_error"]),
                )
                for key, f in evaluation["per_label"].items()
            ),
        )  # fmt: skip
        parts += _table("Most frequent confusions", ("is", "was taken for", "times"), evaluation["confusions"])
        parts += _reliability(evaluation.get("reliability") or ())
    if guard:
        parts += _guard(guard)
    if verdict:
        parts += ["## Against the champion", "", "Promoted." if verdict["promote"] else "Refused.", ""]
        parts += [f"- {reason}" for reason in verdict["because"]] + [""]
        parts += _against("Frozen set", verdict)
        parts += _against("Newest quarter", verdict.get("newest") or {})
        if latency := verdict.get("latency"):
            parts += [
                f"One ticket: champion {latency['champion_ms']:.1f} ms, this {latency['challenger_ms']:.1f} ms.",
                "",
            ]
    return "\n".join(parts).rstrip() + "\n"


def _against(title: str, comparison: Mapping[str, Any]) -> list[str]:
    """Champion and challenger on one set, as a whole and by reason, language and channel."""
    old, new = comparison.get("champion"), comparison.get("challenger")
    if not old or not new:
        return []
    whole = [(f"all ({name})", new["n"], old[key], new[key], "", "") for name, key in _WHOLE]
    reasons = [
        (f"{c['reason']} (F1)", c["n"], c["champion_f1"], c["challenger_f1"], c["lost"], c["won"])
        for c in comparison["reasons"]
    ]
    slices = [
        (f"{s['kind']} {s['value']}", s["n"], s["champion_accuracy"], s["challenger_accuracy"], s["lost"], s["won"])
        for s in comparison["slices"]
    ]
    rows = [(name, n, _f(was), _f(now), lost, won) for name, n, was, now, lost, won in [*whole, *reasons, *slices]]
    return _table(title, ("", "n", "champion", "this", "lost", "won"), rows)


_WHOLE = (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("calibration error", "ece"), ("coverage", "coverage"))


def _guarantees(guarantees: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for g in guarantees:
        if g["coverage"] > 0:
            lines.append(
                f"- At most {g['target']:.0%} of tagged tickets wrong, with {1 - g['delta']:.0%} confidence on tickets "
                f"like the training data: confidence from {g['threshold']:.3f}, {g['coverage']:.1%} of tickets tagged "
                f"({g['error']:.2%} wrong among them, n = {g['n']})."
            )
        else:
            lines.append(f"- At most {g['target']:.0%} wrong cannot be guaranteed on this data: coverage 0.")
    return lines or ["- No guarantee was computed."]


def _overall(evaluation: Mapping[str, Any]) -> list[str]:
    lines = [
        f"- n = {evaluation['n']}, accuracy {evaluation['accuracy']:.3f}, macro-F1 {evaluation['macro_f1']:.3f}, "
        f"expected calibration error {evaluation['ece']:.3f}",
        f"- tagged {evaluation['coverage']:.1%}, wrong among them {_f(evaluation['selective_error'])}",
    ]
    if evaluation.get("guard_recall") is not None:
        lines.append(
            f"- human-only guard, rules or model: recall {evaluation['guard_recall']:.3f}, "
            f"false alarms {evaluation['guard_false_alarms']:.3f}"
        )
    return lines


_BAR = 40
"""Width of the reliability diagram in characters."""


def _reliability(points: Sequence[Sequence[float]]) -> list[str]:
    """The reliability diagram: ``#`` is the share that was right, ``|`` the confidence that was stated."""
    lines = ["### Reliability", "", "Each line is a tenth of the tickets, least confident first.", "", "```text"]
    for confidence, right, n in points:
        stated = min(round(_BAR * confidence), _BAR - 1)
        bar = ("#" * round(_BAR * right)).ljust(_BAR)
        lines.append(f"said {confidence:.2f}  right {right:.2f}  {bar[:stated]}|{bar[stated + 1 :]} n = {n:.0f}")
    return [*lines, "```", ""] if points else []


def _guard(guard: Mapping[str, Any]) -> list[str]:
    """The guard on messages that were written to get past it; misses by id, so that no rule is written from a text."""
    lines = ["## The human-only guard on its own test set", ""]
    for name, figures in (("rules or model", guard["rules_or_model"]), ("rules alone", guard["rules"])):
        if figures is None:
            continue
        shares = (
            ("recall", figures["recall"]),
            ("indirect recall", figures["indirect_recall"]),
            ("false alarms", figures["false_alarms"]),
            ("of look-alikes", figures["look_alike_alarms"]),
        )
        lines.append(f"- {name}: " + "; ".join(f"{what} {_share(share)}" for what, share in shares))
    missed = ", ".join(miss["id"] for miss in guard["misses"]) or "none"
    return [*lines, f"- missed: {missed}", ""]


def _share(share: Mapping[str, Any]) -> str:
    if share["share"] is None:
        return "-"
    return f"{share['share']:.3f} ({share['raised']} of {share['n']}, 95% {share['low']:.3f} to {share['high']:.3f})"


def _bullets(values: Mapping[str, Any]) -> list[str]:
    return [f"- {key}: {value}" for key, value in values.items()]


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "-|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return [*lines, ""]


def _f(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
