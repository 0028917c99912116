import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from classifier.encoders import Encoder
from kb.articles import Audience, Passage, load_articles
from kb.chroma import clean_memory, connect, disconnect
from kb.index import IndexAuditError, IndexLockedError, KnowledgeIndex, KnowledgeIndexError
from kb.index_audit import folder_problem
from kb.scope import Scope
from kb.vectors import views_digest


@pytest.fixture
def passages(write_article, tmp_path) -> list[Passage]:
    write_article(
        "track",
        body="## Late parcel\n\nOpen Your Orders and choose Track package.\n\n## Lost\n\nWe trace it.",
    )
    write_article("return", reason="return_request", body="## Send it back\n\nPrint the label in Your Orders.")
    write_article("inside", audience="agent", body="## Escalate\n\nCall the depot.")
    write_article("ebay", marketplace="ebay", body="## On eBay\n\nOpen the purchase history.")
    write_article("track", locale="de", body="## Spätes Paket\n\nÖffnen Sie Meine Bestellungen.")
    return [passage for article in load_articles(tmp_path / "articles") for passage in article.passages]


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "index"


def builds(folder: Path) -> list[Path]:
    return sorted(folder.glob("build-*"))


def test_passages_are_found_by_their_vectors_within_the_scope(passages, folder, encoder):
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages)
        assert index.count == 6
        vector = encoder.encode(["How do I send it back?"])[0]
        hits = index.search(vector, Scope("en", marketplace="amazon"), k=10)
        assert hits[0].passage_id == "en/return#1"
        assert {hit.passage_id for hit in hits} == {"en/return#1", "en/track#1", "en/track#2"}
        agent = index.search(vector, Scope("en", Audience.AGENT, "ebay"), k=10)
        assert {hit.passage_id for hit in agent} >= {"en/inside#1", "en/ebay#1"}
        ids, vectors = index.vectors()
        row = ids.index("en/return#1")
        assert hits[0].cosine == pytest.approx(float(vectors[row] @ vector), abs=1e-4)


def test_an_unchanged_rebuild_does_nothing_and_a_change_encodes_only_what_changed(
    passages, folder, encoder, write_article, tmp_path
):
    with KnowledgeIndex.open(folder, encoder) as index:
        first = index.rebuild(passages)
        assert (first.changed, first.encoded) == (True, 6)
        [build] = builds(folder)
        assert not index.rebuild(passages).changed
        assert builds(folder) == [build]
        write_article("return", reason="return_request", body="## Send it back\n\nBring it to the post office.")
        changed = [passage for article in load_articles(tmp_path / "articles") for passage in article.passages]
        seen: list[tuple[int, int]] = []
        second = index.rebuild(changed, progress=lambda done, total: seen.append((done, total)))
        assert (second.changed, second.encoded) == (True, 1)
        assert seen[-1] == (6, 6)
        assert len(builds(folder)) == 1
        assert builds(folder) != [build]


def test_a_deleted_passage_leaves_the_disk(passages, folder, encoder):
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages)
        stored = {name: vector.astype("<f4").tobytes() for name, vector in zip(*index.vectors(), strict=True)}
        index.rebuild(passages[:-1])
        assert passages[-1].id not in index.vectors()[0]
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert passages[0].id.encode() in held
    for trace in (passages[-1].id, passages[-1].text, views_digest(passages[-1])):
        assert trace.encode() not in held
    assert stored[passages[0].id] in held
    assert stored[passages[-1].id] not in held


def test_the_index_is_there_after_reopening_and_the_pointer_names_it(passages, folder, encoder):
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages)
    assert json.loads((folder / "current.json").read_text(encoding="utf-8"))["folder"] == builds(folder)[0].name
    with KnowledgeIndex.open(folder, encoder) as index:
        assert index.count == 6
        assert not index.rebuild(passages).changed


def test_a_second_owner_is_refused_also_from_another_process(passages, folder, encoder):
    with KnowledgeIndex.open(folder, encoder):
        with pytest.raises(IndexLockedError, match="open in another process"):
            KnowledgeIndex.open(folder, encoder)
        code = (
            "import sys; from pathlib import Path; from kb.index import *\n"
            "try: KnowledgeIndex.open(Path(sys.argv[1]), None)\n"
            "except IndexLockedError as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert "stop it, or use another folder" in done.stdout
    KnowledgeIndex.open(folder, encoder).close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of a real `chroma run`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("chroma")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(home), "--port", str(port)]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as run:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert run.poll() is None, "chroma run ended"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            run.terminate()


def test_a_chroma_server_holds_the_index_for_several_processes_and_forgets_what_was_deleted(passages, encoder, server):
    with KnowledgeIndex.connect(server, encoder) as first, KnowledgeIndex.connect(server, encoder) as second:
        built = first.rebuild(passages)
        assert (built.changed, built.passages, built.encoded) == (True, 6, 6)
        assert not second.rebuild(passages).changed
        assert second.count == 6
        vector = encoder.encode(["How do I send it back?"])[0]
        assert second.search(vector, Scope("en", marketplace="amazon"), k=1)[0].passage_id == "en/return#1"
        rebuilt = second.rebuild(passages[:-1])
        assert (rebuilt.changed, rebuilt.encoded) == (True, 0)
        assert not first.rebuild(passages[:-1]).changed
        assert passages[-1].id not in first.vectors()[0]
    with KnowledgeIndex.connect(server, encoder) as again:
        assert again.count == 5
        assert again.missing(passages) == 1
    client = connect(server)
    [collection] = client.list_collections()
    collection.delete(ids=[passages[0].id])
    disconnect(client)
    with KnowledgeIndex.connect(server, encoder) as damaged:
        assert damaged.count == 0
        assert damaged.rebuild(passages).passages == 6
    client = connect(server)
    assert len(client.list_collections()) == 1
    disconnect(client)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "does not answer .* `chroma run`"),
        ("ftp://x", "not the address of a server"),
        ("http://x:99999", "no usable port"),
    ],
)
def test_a_server_that_cannot_be_used_says_what_to_do(encoder, url, said):
    with pytest.raises(KnowledgeIndexError, match=said):
        KnowledgeIndex.connect(url, encoder)


def test_an_index_whose_owner_ended_badly_is_audited_by_another_process_and_serves_on(
    passages, folder, encoder, monkeypatch
):
    audited: list[Path] = []

    def watched(build: Path, count: int) -> str | None:
        audited.append(build)
        return folder_problem(build, count)

    monkeypatch.setattr("kb.storage.folder_problem", watched)
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages)
    KnowledgeIndex.open(folder, encoder).close()
    assert audited == []
    (folder / "owner.pid").write_text("1", encoding="utf-8")
    with KnowledgeIndex.open(folder, encoder) as index:
        assert audited == builds(folder)
        assert index.count == 6


def test_a_damaged_vector_file_is_found_by_the_audit_and_rebuilt_into_a_new_folder(passages, folder, encoder):
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages)
    [build] = builds(folder)
    pointer = folder / "current.json"
    said = json.loads(pointer.read_text(encoding="utf-8"))
    pointer.write_text(json.dumps({**said, "passages": 7}), encoding="utf-8")
    assert folder_problem(build, 7) == "has 6 of 7 passages"
    for path in build.glob("*.sqlite3*"):
        path.write_bytes(b"\x00" * 100)
    assert folder_problem(build, 6)
    with KnowledgeIndex.open(folder, encoder, verify=True) as index:
        assert index.count == 0
        index.rebuild(passages)
    [fresh] = builds(folder)
    assert fresh != build
    assert folder_problem(fresh, 6) is None


@pytest.mark.parametrize("damage", ["pointer", "files", "foreign"])
def test_a_damaged_index_is_empty_and_rebuilt_from_the_passages(passages, folder, encoder, damage):
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages)
    if damage == "pointer":
        (folder / "current.json").write_text("{", encoding="utf-8")
    elif damage == "files":
        for path in builds(folder)[0].glob("*.sqlite3*"):
            path.unlink()
    else:
        pointer = json.loads((folder / "current.json").read_text(encoding="utf-8"))
        (folder / "current.json").write_text(json.dumps({**pointer, "encoder": "other"}), encoding="utf-8")
    with KnowledgeIndex.open(folder, encoder) as index:
        assert index.count == 0
        assert index.search(encoder.encode(["x"])[0], Scope("en"), 3) == []
        index.rebuild(passages)
        assert index.count == 6
    assert len(builds(folder)) == 1


def test_a_build_that_does_not_find_itself_is_thrown_away_and_the_old_one_serves(
    passages, folder, encoder, monkeypatch
):
    class Drifting:
        name = encoder.name
        dimensions = encoder.dimensions

        def encode(self, texts):
            return np.zeros((len(texts), self.dimensions), dtype=np.float32)

    drifting: Encoder = Drifting()
    with KnowledgeIndex.open(folder, encoder) as index:
        index.rebuild(passages[:2])
        before = builds(folder)
        index._encoder = drifting
        with pytest.raises(IndexAuditError, match="the old index stays"):
            index.rebuild(passages)
        assert index.count == 2
        assert builds(folder) == before


def test_an_empty_knowledge_base_is_an_empty_index(folder, encoder):
    with KnowledgeIndex.open(folder, encoder) as index:
        assert index.rebuild([]).passages == 0
        assert index.vectors()[1].shape == (0, encoder.dimensions)


def test_where_the_own_process_cannot_be_loaded_an_index_is_written_all_the_same(monkeypatch):
    def refuse(name):
        raise TypeError("LoadLibrary() argument 1 must be str, not None")

    monkeypatch.setattr("kb.chroma.sys.platform", "win32")
    monkeypatch.setattr("kb.chroma.ctypes.CDLL", refuse)
    with clean_memory():
        pass
