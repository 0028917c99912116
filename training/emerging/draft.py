"""One emerging reason as a draft: a taxonomy entry, labelled examples, macro and article stubs, and a checklist.

<folder>/reason.yaml                     the entry for the taxonomy
<folder>/examples/<locale>/<id>.jsonl    redacted tickets in the corpus format
<folder>/macros/<locale>/<id>.md         stubs with the status draft
<folder>/articles/<locale>/<id>.md
<folder>/CHECKLIST.md                    what a person does next
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from classifier.datafile import load_yaml
from classifier.taxonomy import Autonomy, Reason, Taxonomy
from kb.articles import load_articles
from kb.macros import load_macros
from training.corpus import load_corpus
from training.emerging.period import AskedTicket
from training.emerging.space import EmergingError

STUBS = Path(__file__).parent / "stubs.yaml"
REVIEW_AFTER = timedelta(days=182)
TO_WRITE = "[to write]"
_ID = re.compile(r"[a-z][a-z0-9_]{2,39}")


class Stub(BaseModel):
    """The beginning of a macro and of an article in one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    macro: str
    article: str


class Stubs(BaseModel):
    """The data file ``stubs.yaml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    locales: dict[str, Stub]


@cache
def stubs() -> Stubs:
    """The shipped stubs. Raises `DataFileError`."""
    return load_yaml(STUBS, Stubs)


def write_draft(
    folder: Path,
    reason_id: str,
    tickets: Sequence[AskedTicket],
    terms: dict[str, tuple[str, ...]],
    taxonomy: Taxonomy,
    today: date,
) -> list[Path]:
    """Write the draft of a reason from its cluster's ``tickets``, words of it per language; the files, sorted.

    The folder appears whole or not at all, after everything in it was read back by the loaders of corpus, macros and
    articles. Raises `EmergingError` for an id that is taken or wrong, without tickets, or where the folder exists.
    """
    if not _ID.fullmatch(reason_id):
        raise EmergingError(
            f"'{reason_id}' is no id for a reason: 3 to 40 small letters, digits and '_', a letter first"
        )
    if reason_id in taxonomy:
        raise EmergingError(f"the taxonomy has a reason '{reason_id}' already; choose another id")
    if not tickets:
        raise EmergingError("no ticket of the cluster is left (erased or deleted); look for emerging reasons again")
    if folder.exists():
        raise EmergingError(f"{folder} exists already and is never overwritten; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        _fill(draft, reason_id, tickets, terms, taxonomy, today)
        draft.chmod(0o755)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _fill(
    draft: Path,
    reason_id: str,
    tickets: Sequence[AskedTicket],
    terms: dict[str, tuple[str, ...]],
    taxonomy: Taxonomy,
    today: date,
) -> None:
    entry = _entry(reason_id, tickets, terms, taxonomy)
    (draft / "reason.yaml").write_text(_as_yaml(entry), encoding="utf-8")
    counts = Counter(ticket.locale for ticket in tickets)
    fallback = ", ".join(terms.get(counts.most_common(1)[0][0], ())) or reason_id
    for locale in taxonomy.locales:
        topic = ", ".join(terms.get(locale, ())) or fallback
        title = entry.names[locale] if entry.names[locale] != TO_WRITE else f"{TO_WRITE} {reason_id}"
        macro, article = stubs().locales[locale].macro, stubs().locales[locale].article
        _write(draft / "macros" / locale / f"{_slug(reason_id)}.md", {
            "id": _slug(reason_id), "reason": reason_id, "locale": locale, "title": title, "marketplace": ["any"],
            "kind": "reply", "status": "draft", "version": 1, "author": "nobody-yet",
        }, macro.replace("{topic}", topic))  # fmt: skip
        _write(draft / "articles" / locale / f"{_slug(reason_id)}.md", {
            "id": _slug(reason_id), "reason": reason_id, "locale": locale, "title": title, "audience": "customer",
            "marketplace": ["any"], "status": "draft", "version": 1, "reviewed": today,
            "review_by": today + REVIEW_AFTER, "owner": "nobody-yet",
        }, article.replace("{topic}", topic))  # fmt: skip
    for locale in sorted(counts):
        path = draft / "examples" / locale / f"{reason_id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(_lines(reason_id, locale, tickets)), encoding="utf-8")
    (draft / "CHECKLIST.md").write_text(_checklist(reason_id, counts, entry), encoding="utf-8")
    # What could not be read later is not written now.
    wider = taxonomy.model_copy(update={"reasons": (*taxonomy.reasons, entry)})
    load_corpus(draft / "examples", wider)
    load_macros(draft / "macros", wider)
    load_articles(draft / "articles", wider)


def _entry(
    reason_id: str, tickets: Sequence[AskedTicket], terms: dict[str, tuple[str, ...]], taxonomy: Taxonomy
) -> Reason:
    names = {locale: ", ".join(terms.get(locale, ())[:2]).capitalize() or TO_WRITE for locale in taxonomy.locales}
    return Reason(
        id=reason_id,
        names=names,
        meaning=f"{TO_WRITE} One sentence. Words of the cluster: " + "; ".join(", ".join(t) for t in terms.values()),
        autonomy=Autonomy.ASSISTED,
        metrics_at_risk=(),
        cause=TO_WRITE,
        upstream_fix=TO_WRITE,
        order_facts=(),
    )


def _as_yaml(entry: Reason) -> str:
    data = entry.model_dump(mode="json", exclude_defaults=True)
    return (
        "# An entry for the list `reasons` of the taxonomy. Replace what is in square brackets; the autonomy stays\n"
        "# 'assisted' until the reason has proved itself.\n"
        + yaml.safe_dump([data], allow_unicode=True, sort_keys=False, width=120)
    )


def _write(path: Path, fields: dict[str, object], body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    front = yaml.safe_dump(fields, allow_unicode=True, sort_keys=False, width=120)
    path.write_text(f"---\n{front}---\n{body}", encoding="utf-8")


def _lines(reason_id: str, locale: str, tickets: Sequence[AskedTicket]) -> list[str]:
    seen: dict[str, AskedTicket] = {}
    for ticket in tickets:
        if ticket.locale == locale and ticket.text.strip():
            seen.setdefault(ticket.text, ticket)
    lines = []
    for number, ticket in enumerate(seen.values(), start=1):
        row = {"id": f"{locale}-{reason_id}-{number:03}", "channel": ticket.channel}
        row |= {"subject": ticket.subject} if ticket.subject else {}
        lines.append(json.dumps(row | {"body": ticket.body or ticket.subject}, ensure_ascii=False) + "\n")
    return lines


def _slug(reason_id: str) -> str:
    return reason_id.replace("_", "-")


def _checklist(reason_id: str, counts: Counter[str], entry: Reason) -> str:
    languages = ", ".join(f"{locale} {n}" for locale, n in sorted(counts.items()))
    missing = ", ".join(locale for locale, name in entry.names.items() if name == TO_WRITE) or "none"
    return f"""# Draft of the reason `{reason_id}`

{counts.total()} tickets: {languages}.

- [ ] Read every line of `examples/`; delete what is another reason. They are redacted by rules: look for names.
- [ ] Is it a reason of its own? It is when it needs another answer, or another fix upstream, than those there are.
- [ ] Write `reason.yaml`: meaning, cause, upstream fix, names (missing in: {missing}), and add it to the taxonomy.
- [ ] Could somebody be hurt, sue or claim? Then the autonomy is `human_only` and the guard needs rules for it.
- [ ] Eight examples are enough to begin; copy `examples/<locale>/{reason_id}.jsonl` into the corpus, then run
      `python -m training.groups` and `paretodesk train`.
- [ ] Write macros and articles, copy them into the content folder and run `paretodesk kb check`.
- [ ] A second person approves and locks the macros.
- [ ] Relabel tickets of the period that got another reason: `paretodesk labels audit` lists many of them.
"""
