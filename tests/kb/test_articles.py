import pytest

from kb.articles import Audience, load_articles
from kb.content import ContentError


def test_each_heading_starts_a_passage_and_text_above_the_first_is_one_too(write_article, tmp_path):
    path = write_article(
        body="Before all.\n\n## First *part*\n\nSee [the page](other.md).\n\n- one\n- two\n\n### Inside\n\nmore\n\n"
        "```\n## no heading\n```\n\n## Empty\n\n## Last\n\nEnd."
    )
    [article] = load_articles(tmp_path / "articles")
    assert [passage.heading for passage in article.passages] == ["Title of track", "First part", "Last"]
    assert article.passages[1].text == "See the page.\none\ntwo\nInside\nmore\n## no heading"
    assert [passage.id for passage in article.passages] == ["en/track#1", "en/track#2", "en/track#3"]
    assert article.passages[0].audience is Audience.CUSTOMER
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[article.passages[1].line - 1] == "## First *part*"


def test_all_mistakes_of_all_files_are_reported_at_once_with_file_and_line(write_article, tmp_path):
    wrong_reason = write_article("a", reason="trackin_update")
    wrong_folder = write_article("b", locale="fr", folder="de")
    wrong_date = write_article("c", review_by="soon")
    in_the_past = write_article("d", review_by="2025-01-01")
    placeholder = write_article("e", body="## A\n\nYour order {{ order.id }}")
    empty = write_article("f", body="## Only a heading")
    odd_place = write_article("g", marketplace="amazn")
    with pytest.raises(ContentError) as error:
        load_articles(tmp_path / "articles")
    text = str(error.value)
    assert f"{wrong_reason}:3: reason: unknown reason 'trackin_update'" in text
    assert f"{wrong_folder}:4: locale: 'fr' lies in the folder 'de'" in text
    assert f"{wrong_date}:11: review_by:" in text
    assert f"{in_the_past}:11: review_by:" in text
    assert f"{placeholder}:17: body: an article takes no placeholders" in text
    assert f"{empty}:15: body: the article says nothing" in text
    assert f"{odd_place}:7: marketplace: unknown amazn" in text
    assert len(error.value.mistakes) == 7


def test_an_id_twice_in_one_locale_and_a_file_outside_of_a_locale_folder_are_mistakes(write_article, tmp_path):
    first = write_article("a")
    (first.parent / "b.md").write_text(first.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "articles" / "lost.md").write_text("x", encoding="utf-8")
    with pytest.raises(ContentError) as error:
        load_articles(tmp_path / "articles")
    text = str(error.value)
    assert "id: a in en is also in" in text
    assert "'a' differs from the file name 'b.md'" in text
    assert "lost.md: lies outside of a locale folder" in text


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(ContentError, match="no such folder"):
        load_articles(tmp_path / "nothing")
