"""How figures of models are shown in a terminal."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from service.console_output import out
from training.evaluation import Evaluation
from training.promotion import Comparison, Verdict


def show_evaluation(model_id: str, figures: Evaluation) -> None:
    """Figures of one model on one set."""
    out.print(
        f"{model_id}: accuracy {figures.accuracy:.3f}, macro-F1 {figures.macro_f1:.3f}, calibration error "
        f"{figures.ece:.3f}, tagged {figures.coverage:.1%} with {_share(figures.selective_error)} wrong "
        f"(n = {figures.n})"
    )
    if figures.unknown_auroc is not None:
        out.print(f"familiarity ranks known texts above unknown ones: AUROC {figures.unknown_auroc:.3f}")
    for kind, slices in (("language", figures.per_language), ("channel", figures.per_channel)):
        if slices:
            table = Table(kind, "n", "accuracy", "macro-F1", "tagged", "wrong when tagged")
            for value, f in slices.items():
                cells = str(f.n), f"{f.accuracy:.3f}", f"{f.macro_f1:.3f}", f"{f.coverage:.1%}"
                table.add_row(escape(value), *cells, _share(f.selective_error))
            out.print(table)
    table = Table("label", "n", "precision", "recall", "F1", "tagged", "wrong when tagged")
    for label, g in figures.per_label.items():
        scores = (f"{score:.3f}" for score in (g.precision, g.recall, g.f1))
        table.add_row(escape(label), str(g.n), *scores, f"{g.coverage:.1%}", _share(g.selective_error))
    out.print(table)


def show_comparison(title: str, first: str, second: str, comparison: Comparison) -> None:
    """Two models on one set: the whole, then every reason, language and channel, worst change first."""
    old, new = comparison.champion, comparison.challenger
    if old is None:
        return
    out.print(
        f"\n[bold]{escape(title)}[/] (n = {new.n}): accuracy {old.accuracy:.3f} -> {new.accuracy:.3f}, macro-F1 "
        f"{old.macro_f1:.3f} -> {new.macro_f1:.3f}, calibration error {old.ece:.3f} -> {new.ece:.3f}, tagged "
        f"{old.coverage:.1%} -> {new.coverage:.1%}",
        highlight=False,
    )
    table = Table("", "n", first, second, "change", "lost", "won", "p (worse)")
    rows: list[tuple[str, int, float, float, int, int, float]] = [
        (f"{c.reason} (F1)", c.n, c.champion_f1, c.challenger_f1, c.lost, c.won, c.p_worse) for c in comparison.reasons
    ]
    rows.sort(key=lambda row: row[3] - row[2])
    rows += [
        (f"{s.kind} {s.value} (accuracy)", s.n, s.champion_accuracy, s.challenger_accuracy, s.lost, s.won, s.p_worse)
        for s in comparison.slices
    ]
    for name, n, was, now, lost, won, p in rows:
        figures = f"{was:.3f}", f"{now:.3f}", f"{now - was:+.3f}"
        table.add_row(escape(name), str(n), *figures, str(lost), str(won), f"{p:.3f}")
    out.print(table)


def show_verdict(model_id: str, verdict: Verdict) -> None:
    """The challenger's figures, beside the champion's where there is one, and why it serves or does not."""
    show_evaluation(f"{model_id} on the frozen set", verdict.challenger)
    if verdict.champion is not None:
        frozen = Comparison(verdict.champion, verdict.challenger, verdict.reasons, verdict.slices)
        show_comparison("frozen set", "champion", "challenger", frozen)
    if verdict.newest is not None:
        show_comparison("newest quarter", "champion", "challenger", verdict.newest)
    if verdict.latency is not None:
        out.print(
            f"one ticket takes {verdict.latency.champion_ms:.1f} ms with the champion, "
            f"{verdict.latency.challenger_ms:.1f} ms with the challenger",
            highlight=False,
        )
    word = "[bold green]promoted[/]" if verdict.promote else "[bold red]refused[/]"
    out.print(f"{model_id} {word}: " + escape("; ".join(verdict.because)))


def count_table(title: str, counts: dict[str, Any]) -> Table:
    """Counts by name, the most frequent first."""
    table = Table(title, "tickets")
    for name, n in sorted(counts.items(), key=lambda row: (-int(row[1]), row[0])):
        table.add_row(escape(name), str(n))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
