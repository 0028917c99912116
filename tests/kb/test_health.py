import datetime as dt

from kb.health import Level
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase

TODAY = dt.date(2025, 6, 1)


def found(tmp_path, check: str):
    return [finding for finding in KnowledgeBase.load(tmp_path).check(TODAY) if finding.check == check]


def test_reasons_without_approved_content_are_errors_per_locale(write_article, write_macro, tmp_path):
    write_article()
    write_article("draft", reason="refund_status", status="draft")
    write_macro()
    write_macro("retired", reason="thanks", status="retired")
    articles = {finding.message for finding in found(tmp_path, "no-article")}
    assert "no approved customer article for the self-service reason refund_status in en" in articles
    assert "no approved customer article for the self-service reason tracking_update in fr" in articles
    assert not [message for message in articles if "tracking_update in en" in message]
    assert not [message for message in articles if "a_to_z_claim" in message]
    macros = {finding.message for finding in found(tmp_path, "no-macro")}
    assert "no approved macro for the reason thanks in en" in macros
    assert "no approved macro for the reason tracking_update in en" not in macros
    assert len(macros) == 28 * 5 - 1


def test_broken_links_name_file_and_line(write_article, write_macro, tmp_path):
    write_macro()
    path = write_article(
        body="## One\n\n[ok](other.md) [up](../en/other.md#two-words) [out](https://www.amazon.de/)\n"
        "[here](#one)\n[gone](nowhere.md)\n[no heading](other.md#three)"
    )
    write_article("other", title="Other", body="## Two words!\n\nText.")
    findings = found(tmp_path, "broken-link")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [(f.file, lines[f.line - 1]) for f in findings] == [
        (path, "[gone](nowhere.md)"),
        (path, "[no heading](other.md#three)"),
    ]


def test_stale_reviews_missing_locales_and_duplicate_titles_are_warnings(write_article, write_macro, tmp_path):
    write_macro()
    path = write_article(title="Same", review_by="2025-05-31")
    write_article("b", title="same ")
    [stale] = found(tmp_path, "stale-review")
    assert (stale.file, stale.line, stale.level) == (path, 11, Level.WARNING)
    assert str(stale) == f"{path}:11: stale-review: was to be reviewed by 2025-05-31; owner: support"
    [duplicate] = found(tmp_path, "duplicate-title")
    assert duplicate.message.casefold() == "'same' is also the title of b.md"
    assert "fr, de, es, it" in found(tmp_path, "missing-locale")[0].message


def test_content_that_breaks_the_policy_is_an_error_with_its_line(write_article, write_macro, tmp_path):
    macro = write_macro(body="Hello,\n\nContact us on WhatsApp.")
    article = write_article(body="## One\n\nFine.\n\n## Two\n\nUse code SAVE10 for your next order.")
    first, second = sorted(found(tmp_path, "policy"), key=lambda finding: str(finding.file))
    assert (first.file, first.line, first.level) == (article, 19, Level.ERROR)
    assert (second.file, second.line, second.level) == (macro, 16, Level.ERROR)
    assert "R26" in second.message
    assert second.to_json()["check"] == "policy"


def test_a_draft_that_breaks_the_policy_only_warns(write_article, write_macro, tmp_path):
    write_article()
    write_macro(status="draft", body="Contact us on WhatsApp.")
    assert [finding.level for finding in found(tmp_path, "policy")] == [Level.WARNING]


def test_links_in_code_are_no_links_and_a_missing_picture_is_broken(write_article, write_macro, tmp_path):
    write_macro()
    path = write_article(
        body="## One\n\n`[code](nowhere.md)`\n\n```\n[code](nowhere.md)\n```\n\n![here](a.png) and\n![gone](b.png)\n\n"
        "[by reference][there]\n\n[there]: nowhere.md"
    )
    (path.parent / "a.png").write_bytes(b"x")
    lines = path.read_text(encoding="utf-8").splitlines()
    findings = found(tmp_path, "broken-link")
    assert [lines[finding.line - 1] for finding in findings] == ["![gone](b.png)", "[by reference][there]"]


def test_assisted_reasons_without_an_article_are_warnings(write_article, write_macro, tmp_path):
    write_article()
    write_macro()
    levels = {finding.message: finding.level for finding in found(tmp_path, "no-article")}
    assert levels["no approved customer article for the assisted reason not_received in en"] is Level.WARNING
    assert levels["no approved customer article for the self-service reason refund_status in en"] is Level.ERROR
    assert not [message for message in levels if "legal_or_ip" in message or " other " in message]


def test_an_article_that_no_query_reaches_is_a_warning_once_there_is_an_index(
    write_article, write_macro, tmp_path, encoder
):
    write_macro()
    for name in ("a", "b", "c"):
        write_article(name, title="Where is my parcel", body="## Where is my parcel\n\nOpen Your Orders and track it.")
    lost = write_article("lost", title="Where is my parcel", body="## Zebra\n\nStripes of animals in Africa.")
    questions = tmp_path / "questions" / "en.jsonl"
    questions.parent.mkdir()
    row = '{"id": "1", "locale": "en", "question": "zebra stripes", "article": "%s"}'
    questions.write_text(row % "gone", encoding="utf-8")
    base = KnowledgeBase.load(tmp_path)
    assert not [finding for finding in base.check(TODAY) if finding.check == "unreached"]
    [unknown] = [finding for finding in base.check(TODAY) if finding.check == "unknown-article"]
    assert unknown.message == "question 1 names gone, which is no approved article"
    with KnowledgeIndex.open(tmp_path / "index", encoder) as index:
        base.sync(index)
    [unreached] = [finding for finding in base.check(TODAY) if finding.check == "unreached"]
    assert (unreached.file, unreached.line, unreached.level) == (lost, 5, Level.WARNING)
    questions.write_text(row % "lost", encoding="utf-8")
    base = KnowledgeBase.load(tmp_path)
    with KnowledgeIndex.open(tmp_path / "index", encoder) as index:
        base.sync(index)
    assert not [finding for finding in base.check(TODAY) if finding.check == "unreached"]
