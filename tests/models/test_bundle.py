import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from models.bundle import (
    CARD,
    LAYOUT_VERSION,
    MANIFEST,
    SIGNATURE,
    BundleError,
    BundleMissingError,
    BundleRejectedError,
    Manifest,
    read_bundle,
    write_bundle,
)
from models.signing import SigningKey

FILES = {"arrays.npz": b"\x00\x01\x02" * 100, "model.json": b'{"format": 1}'}
EVERY_FILE = [*FILES, CARD, MANIFEST, SIGNATURE]
Write = Callable[..., Path]


def sign_again(folder: Path, key: SigningKey, **changes: object) -> None:
    """Sign a changed manifest with the right key, as another version of the program would."""
    text = json.dumps(json.loads((folder / MANIFEST).read_bytes()) | changes).encode()
    (folder / MANIFEST).write_bytes(text)
    (folder / SIGNATURE).write_text(key.sign(text))


def test_what_was_written_is_read_back(write: Write, key: SigningKey) -> None:
    bundle = read_bundle(write(), key)
    assert {name: bundle.files[name] for name in FILES} == FILES
    assert bundle.files[CARD] == b"# Card\n"
    assert set(bundle.manifest.files) == {*FILES, CARD}
    assert bundle.manifest.metrics == {"accuracy": 0.9}


@pytest.mark.parametrize("name", EVERY_FILE)
@pytest.mark.parametrize("position", [0, -1])
def test_one_flipped_bit_in_any_file_is_refused(write: Write, key: SigningKey, name: str, position: int) -> None:
    path = write() / name
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleRejectedError, match="roll back to another version or train again"):
        read_bundle(path.parent, key)


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_missing_file_is_refused_and_named(write: Write, key: SigningKey, name: str) -> None:
    folder = write()
    (folder / name).unlink()
    with pytest.raises(BundleRejectedError, match=rf"{name} cannot be read \(.*\); roll back or train again"):
        read_bundle(folder, key)


@pytest.mark.parametrize("signature", ["", "0" * 64, "é", "\n\n"])
def test_a_signature_that_is_none_is_refused(write: Write, key: SigningKey, signature: str) -> None:
    folder = write()
    (folder / SIGNATURE).write_text(signature, encoding="utf-8")
    with pytest.raises(BundleRejectedError, match="does not fit this desk's key"):
        read_bundle(folder, key)


def test_another_key_is_refused(write: Write, tmp_path: Path) -> None:
    stranger = SigningKey.read_or_create(tmp_path / "other.key")
    with pytest.raises(BundleRejectedError, match="does not fit this desk's key"):
        read_bundle(write(), stranger)


def test_the_manifest_of_another_version_does_not_fit(write: Write, key: SigningKey) -> None:
    old, new = write("v1"), write("v2")
    for name in (MANIFEST, SIGNATURE):
        shutil.copy(old / name, new / name)
    with pytest.raises(BundleRejectedError, match="the manifest is that of reasons/v1"):
        read_bundle(new, key)


def test_an_old_version_under_a_new_ones_place_is_refused(write: Write, key: SigningKey) -> None:
    old, new = write("v1"), write("v2")
    shutil.rmtree(new)
    shutil.copytree(old, new)
    with pytest.raises(BundleRejectedError, match="was moved here, put it back"):
        read_bundle(new, key)


def test_a_bundle_under_another_name_is_refused(write: Write, key: SigningKey) -> None:
    folder = write("v1", name="reasons")
    moved = folder.parent.parent / "guard" / "v1"
    moved.parent.mkdir()
    folder.rename(moved)
    with pytest.raises(BundleRejectedError, match="was moved here, put it back"):
        read_bundle(moved, key)


def test_an_unknown_layout_is_refused_with_a_remedy(write: Write, key: SigningKey) -> None:
    folder = write()
    sign_again(folder, key, layout=LAYOUT_VERSION + 1)
    with pytest.raises(BundleRejectedError, match=f"layout {LAYOUT_VERSION + 1} is not {LAYOUT_VERSION}; train"):
        read_bundle(folder, key)


def test_a_manifest_with_unknown_fields_is_refused_with_a_remedy(write: Write, key: SigningKey) -> None:
    folder = write()
    sign_again(folder, key, colour="red")
    with pytest.raises(BundleRejectedError, match=r"not a manifest that this version reads: .*colour.*; train"):
        read_bundle(folder, key)


def test_no_bundle_at_all_says_what_to_do(tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(BundleMissingError, match="train one with 'paretodesk train'"):
        read_bundle(tmp_path / "none", key)


def test_a_version_is_never_written_over(write: Write, key: SigningKey) -> None:
    write()
    with pytest.raises(BundleError, match="versions are immutable"):
        write()


def test_a_bundle_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, key: SigningKey) -> None:
    manifest = Manifest("reasons", "v1", "now", {}, {}, "", {})
    with pytest.raises(OSError, match="folder"):
        write_bundle(tmp_path / "store" / "v1", manifest, {"a": b"1", "no/such/folder/b": b"2"}, "card", key)
    assert list((tmp_path / "store").iterdir()) == []


def test_what_lies_beside_the_named_files_is_not_part_of_the_bundle(write: Write, key: SigningKey) -> None:
    folder = write()
    (folder / "extra.pkl").write_bytes(b"anything")
    assert "extra.pkl" not in read_bundle(folder, key).files
