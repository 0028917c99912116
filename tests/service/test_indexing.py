import shutil
import time

import pytest
from chromadb.errors import InternalError

from classifier.encoders import Encoder
from kb.content import STARTER_CONTENT
from kb.index import KnowledgeIndex
from kb.knowledge import KnowledgeBase
from kb.storage import FolderStorage
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


def broken(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("place", ["begin", "adopt"])
def test_an_index_that_cannot_be_written_leaves_search_by_words(settings, encoder: Encoder, monkeypatch, place):
    monkeypatch.setattr(FolderStorage, place, broken)
    base = KnowledgeBase.load(settings.content)
    with ArticleSearch(settings, encoder, base) as search:
        assert "No space left on device" in (search.problem or "")
        assert base.hybrid.ranked("invoice", "en")[0].passage.article == "get-an-invoice"
    assert not list(settings.index.glob("build-*"))


def test_an_index_whose_folder_cannot_be_made_leaves_search_by_words(settings, encoder: Encoder):
    settings.index.parent.mkdir(parents=True, exist_ok=True)
    settings.index.write_text("a file where the folder should be")
    base = KnowledgeBase.load(settings.content)
    with ArticleSearch(settings, encoder, base) as search:
        assert "cannot be opened" in (search.problem or "")
        assert base.hybrid.ranked("invoice", "en")[0].passage.article == "get-an-invoice"


def failing_in_chroma(*_: object) -> None:
    raise InternalError("disk I/O error")


def test_an_index_that_fails_while_it_is_filled_beside_the_service_is_told(settings, encoder: Encoder, monkeypatch):
    monkeypatch.setattr(indexing, "_AT_START", 3)
    monkeypatch.setattr("kb.index._fill", failing_in_chroma)
    base = KnowledgeBase.load(settings.content)
    with ArticleSearch(settings, encoder, base) as search:
        ends = time.monotonic() + 120
        while "disk I/O error" not in (search.problem or "") and time.monotonic() < ends:
            time.sleep(0.1)
        assert "searched by words alone: the index cannot be written (disk I/O error)" in (search.problem or "")
