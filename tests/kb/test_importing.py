import datetime as dt

import pytest

from classifier.datafile import DataFileError, load_yaml, parse_yaml
from classifier.taxonomy import starter_taxonomy
from kb.articles import ArticleStatus, load_articles
from kb.export_map import ExportMap
from kb.importing import HelpCentreError, import_articles

MAPPING = """
title: {from: [{meta: title}, {css: h1.name}, {heading: true}]}
locale: {from: [{css: html, attribute: lang}, {meta: lang}, {path: "^([a-z]{2})/"}], values: {en-us: en}}
reason: {from: [{meta: section}, {css: .section}], values: {Versand: tracking_update, Shipping: tracking_update}}
id: {from: [{meta: slug}]}
body: {css: [div.body], drop: [.votes]}
owner: help-team
"""
PAGE = """<html lang="en-us"><head><title>x</title><meta charset="{charset}"></head><body><nav>Menu</nav>
<span class="section">Shipping</span><h1 class="name">Where is  it?</h1>
<div class="body"><h1>Where is it?</h1><p>Open <a href="other.html">Your Orders</a>, Zoë.</p>
<h3>Times</h3><ul><li>Letter<ul><li>small</li></ul></li><li>Parcel</li></ul>
<table><tr><td>Way</td><td>Days</td></tr><tr><td>Post</td><td>3</td></tr></table>
<p><img src="http://evil.example/a.png" alt="The Track button"></p><h4>Detail</h4><pre>## kept</pre>
<script>alert(1)</script><p class="votes">Was this helpful?</p></div></body></html>"""


@pytest.fixture
def mapping() -> ExportMap:
    return parse_yaml(MAPPING, ExportMap, "map.yaml")


@pytest.fixture
def run(tmp_path, mapping):
    def run(force: bool = False):
        return import_articles(
            tmp_path / "export",
            mapping,
            tmp_path / "out",
            starter_taxonomy(),
            today=dt.date(2026, 11, 1),
            force=force,
        )

    (tmp_path / "export" / "de").mkdir(parents=True)
    return run


def test_a_page_becomes_a_draft_that_keeps_headings_lists_tables_links_and_alternative_texts(run, tmp_path):
    page = tmp_path / "export" / "Track a parcel.html"
    page.write_bytes(PAGE.format(charset="iso-8859-1").encode("iso-8859-1"))
    [one] = run()
    assert one.problems == ()
    assert one.target == tmp_path / "out" / "en" / "track-a-parcel.md"
    [article] = load_articles(tmp_path / "out")
    assert article.fields.status is ArticleStatus.DRAFT
    assert (article.reason, article.fields.title, article.fields.owner) == (
        "tracking_update",
        "Where is it?",
        "help-team",
    )
    assert (article.fields.reviewed, article.fields.review_by) == (dt.date(2026, 11, 1), dt.date(2027, 4, 30))
    assert [passage.heading for passage in article.passages] == ["Where is it?", "Times"]
    body = article.body
    assert "Open [Your Orders](other.html), Zoë." in body
    assert "- Letter\n  - small\n- Parcel" in body
    assert "| Way | Days |\n| --- | --- |\n| Post | 3 |" in body
    assert "The Track button" in body
    assert "### Detail" in body
    assert "## kept" in article.passages[1].text
    for gone in ("evil.example", "alert", "helpful", "Menu", "# Where"):
        assert gone not in body


def test_markdown_with_front_matter_is_mapped_too(run, tmp_path):
    (tmp_path / "export" / "de" / "a.md").write_text(
        "---\ntitle: Wo ist es?\nsection: Versand\nslug: Paket verfolgen\n---\n# Wo ist es?\n\nHier.\n\n# Später\n\n"
        "![Der Knopf](x.png)\n\n```\n# kein Titel\n```\n",
        encoding="utf-8",
    )
    [one] = run()
    assert one.target == tmp_path / "out" / "de" / "paket-verfolgen.md"
    [article] = load_articles(tmp_path / "out")
    assert article.body == "Hier.\n\n## Später\n\nDer Knopf\n\n```\n# kein Titel\n```"


def test_every_file_that_cannot_be_used_says_why_and_the_others_are_written(run, tmp_path):
    export = tmp_path / "export"
    head = "---\ntitle: T\nsection: {}\nlang: {}\n---\n"
    (export / "good.md").write_text(head.format("Shipping", "en") + "Text.\n", encoding="utf-8")
    (export / "reason.md").write_text(head.format("Ships", "en") + "Text.\n", encoding="utf-8")
    (export / "locale.md").write_text(head.format("Shipping", "xx") + "Text.\n", encoding="utf-8")
    (export / "empty.md").write_text(head.format("Shipping", "en"), encoding="utf-8")
    (export / "macro.md").write_text(head.format("Shipping", "en") + "Order {{ order.id }}\n", encoding="utf-8")
    (export / "bare.md").write_text("# T\n\nText.\n", encoding="utf-8")
    (export / "bytes.md").write_bytes(b"\xff\xfe\x00")
    (export / "body.html").write_text("<html lang=en><h1 class=name>T</h1></html>", encoding="utf-8")
    (export / "picture.png").write_bytes(b"x")
    found = {one.source.name: " ".join(one.problems) for one in run()}
    assert found.pop("good.md") == ""
    assert "unknown reason 'Ships'" in found.pop("reason.md")
    assert "unknown locale 'xx'" in found.pop("locale.md")
    assert "says nothing" in found.pop("empty.md")
    assert "no placeholders" in found.pop("macro.md")
    assert "locale: no source of the mapping has it" in found["bare.md"]
    assert "reason: no source of the mapping has it" in found.pop("bare.md")
    assert "not UTF-8" in found.pop("bytes.md")
    assert "no element for div.body" in found.pop("body.html")
    assert not found
    assert [path.name for path in (tmp_path / "out").rglob("*.md")] == ["good.md"]


def test_nothing_is_written_over_without_force_and_two_files_never_become_one_article(run, tmp_path):
    text = "---\ntitle: T\nsection: Shipping\nlang: en\n---\n{}\n"
    (tmp_path / "export" / "a.md").write_text(text.format("One."), encoding="utf-8")
    run()
    (tmp_path / "export" / "a.md").write_text(text.format("Two."), encoding="utf-8")
    [again] = run()
    assert "--force" in again.problems[0]
    target = tmp_path / "out" / "en" / "a.md"
    assert "One." in target.read_text(encoding="utf-8")
    (tmp_path / "export" / "de" / "a.md").write_text(text.format("Three."), encoding="utf-8")
    first, second = run(force=True)
    assert first.target == target
    assert "was made of a.md already" in second.problems[0]
    assert "Two." in target.read_text(encoding="utf-8")


def test_names_from_an_export_cannot_lead_out_of_the_folder(run, tmp_path):
    (tmp_path / "export" / "a.md").write_text(
        "---\ntitle: T\nsection: Shipping\nlang: ../../x\nslug: ../../../y\n---\nText.\n", encoding="utf-8"
    )
    [one] = run()
    assert one.target is None
    assert "locale" in one.problems[0]


def test_an_export_without_pages_is_an_error(run):
    with pytest.raises(HelpCentreError, match="no HTML or Markdown file"):
        run()


def test_mistakes_of_the_mapping_name_file_and_line(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(MAPPING.replace("{heading: true}", "{heading: true, meta: x}"), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"map.yaml:2: title.from.2: .*exactly one of"):
        load_yaml(path, ExportMap)
    path.write_text(MAPPING.replace("div.body", '"div["'), encoding="utf-8")
    with pytest.raises(DataFileError, match="not a CSS selector"):
        load_yaml(path, ExportMap)
    path.write_text(MAPPING.replace("^([a-z]{2})/", "^x"), encoding="utf-8")
    with pytest.raises(DataFileError, match="needs a group"):
        load_yaml(path, ExportMap)
