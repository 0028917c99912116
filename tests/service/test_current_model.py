import shutil
import time

from classifier.encoders import UniversalEncoder
from classifier.taxonomy import starter_taxonomy
from models.registry import Registry
from service.current_model import CurrentTagger
from training.retraining import REASONS_MODEL


def tagger_of(store, key):
    return CurrentTagger(Registry(store), key, UniversalEncoder(threads=1), starter_taxonomy())


def second_version(store, key):
    """The same model signed anew under another version."""
    from dataclasses import replace

    from models.bundle import CARD, read_bundle, write_bundle
    from models.signing import SigningKey

    registry, secret = Registry(store), SigningKey.read(key)
    champion = registry.champion(REASONS_MODEL).version
    bundle = read_bundle(registry.folder(REASONS_MODEL, champion), secret)
    files = {name: data for name, data in bundle.files.items() if name != CARD}
    manifest = replace(bundle.manifest, version="second")
    write_bundle(registry.folder(REASONS_MODEL, "second"), manifest, files, "card", secret)
    return champion


def test_a_promotion_and_a_rollback_serve_without_a_restart(starter_store, tmp_path, monkeypatch):
    monkeypatch.setattr("service.current_model.LOOK_EVERY", 0.0)
    store, key = tmp_path / "store", starter_store[1]
    shutil.copytree(starter_store[0], store)
    first = second_version(store, key)
    tagger = tagger_of(store, key)
    assert tagger.tag("", "Where is my parcel?").model == f"reasons/{first}"
    Registry(store).promote(REASONS_MODEL, "second")
    time.sleep(0.01)
    assert tagger.tag("", "Where is my parcel?").model == "reasons/second"
    Registry(store).rollback(REASONS_MODEL)
    time.sleep(0.01)
    assert tagger.tag("", "Where is my parcel?").model == f"reasons/{first}"


def test_a_tampered_version_is_not_served_and_the_previous_one_goes_on(starter_store, tmp_path, monkeypatch):
    monkeypatch.setattr("service.current_model.LOOK_EVERY", 0.0)
    store, key = tmp_path / "store", starter_store[1]
    shutil.copytree(starter_store[0], store)
    first = second_version(store, key)
    tagger = tagger_of(store, key)
    arrays = store / "reasons" / "second" / "arrays.npz"
    data = bytearray(arrays.read_bytes())
    data[len(data) // 2] ^= 1
    arrays.write_bytes(data)
    Registry(store).promote(REASONS_MODEL, "second")
    time.sleep(0.01)
    assert tagger.tag("", "Where is my parcel?").model == f"reasons/{first}"
    assert "changed after it was signed" in tagger.problem
