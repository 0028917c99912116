"""What the bot may take from the knowledge base."""

import shutil
from pathlib import Path

import pytest

from bot.answers import Answers
from kb.knowledge import KnowledgeBase

CONTENT = Path(__file__).parent / "content"
FACTS = {
    "order.id": "123-4567890-1234567",
    "order.fulfilment": "merchant",
    "shipment.carrier": "DHL",
    "shipment.status": "in_transit",
    "shipment.tracking": "JJD000390007882823456",
    "shipment.eta": "2030-03-07",
}


@pytest.mark.parametrize(("marketplace", "is_said"), [("any", True), ("ebay", False)])
def test_a_macro_of_one_marketplace_is_not_said_to_everybody(marketplace, is_said, tmp_path):
    content = shutil.copytree(CONTENT, tmp_path / "content")
    macro = content / "macros" / "en" / "on-its-way.md"
    text = macro.read_text(encoding="utf-8")
    macro.write_text(text.replace("marketplace: [any]", f"marketplace: [{marketplace}]"), encoding="utf-8")
    said = Answers(KnowledgeBase.load(content)).macro("where is it", "tracking_update", FACTS, "en").said
    assert (said is not None) is is_said


@pytest.mark.parametrize(("marketplace", "is_said"), [("any", True), ("ebay", False)])
def test_an_article_of_one_marketplace_is_not_said_to_everybody(marketplace, is_said, tmp_path, encoder):
    content = shutil.copytree(CONTENT, tmp_path / "content")
    for article in (content / "articles" / "en").glob("*.md"):
        text = article.read_text(encoding="utf-8")
        article.write_text(text.replace("marketplace: [any]", f"marketplace: [{marketplace}]"), encoding="utf-8")
    knowledge = KnowledgeBase.load(content)
    knowledge.search_by_words()
    reason = next(passage.reason for passage in knowledge.passages if passage.locale == "en")
    said = Answers(knowledge).passage("how do I send it back", reason, "en", 0.0)
    assert (said is not None) is is_said
