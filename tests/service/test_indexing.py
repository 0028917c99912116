import shutil
import time

import pytest

from classifier.encoders import Encoder
from kb.content import STARTER_CONTENT
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from service import indexing
from service.indexing import ArticleSearch, open_index
from service.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    for folder in ("articles/en", "macros/en"):
        shutil.copytree(STARTER_CONTENT / folder, tmp_path / "content" / folder)
    return load_settings(home=tmp_path / "home", content=tmp_path / "content")


def test_a_small_index_is_ready_at_start(settings, encoder: Encoder):
    base = KnowledgeBase.load(settings.content)
    with ArticleSearch(settings, encoder, base) as search:
        assert search.problem is None
        assert base.search("how do I get an invoice", "en")[0].passage.article == "get-an-invoice"


def test_a_large_index_is_filled_beside_the_service_while_words_are_searched(settings, encoder: Encoder, monkeypatch):
    monkeypatch.setattr(indexing, "_AT_START", 3)
    base = KnowledgeBase.load(settings.content)
    with ArticleSearch(settings, encoder, base) as search:
        assert "searched by words alone" in (search.problem or "")
        assert base.hybrid.ranked("invoice", "en")[0].passage.article == "get-an-invoice"
        ends = time.monotonic() + 120
        while search.problem and time.monotonic() < ends:
            time.sleep(0.1)
        assert search.problem is None
        assert base.hybrid.ranked("how do I get the bill", "en")[0].parts.cosine > 0


def test_an_index_that_another_process_owns_leaves_search_by_words(settings, encoder: Encoder):
    base = KnowledgeBase.load(settings.content)
    with KnowledgeIndex.open(settings.index, encoder), ArticleSearch(settings, encoder, base) as search:
        assert "open in another process" in (search.problem or "")
        assert base.hybrid.ranked("invoice", "en")[0].passage.article == "get-an-invoice"


def test_the_address_of_a_chroma_server_is_used(settings, encoder: Encoder):
    base = KnowledgeBase.load(settings.content)
    elsewhere = settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    with ArticleSearch(elsewhere, encoder, base) as search:
        assert "PARETODESK_CHROMA_URL" in (search.problem or "")
    with open_index(settings, encoder) as index:
        assert index.count == 0
