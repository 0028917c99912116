import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.signing import KEY_BYTES, SigningError, SigningKey


def test_a_new_key_is_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    first = SigningKey.read_or_create(path)
    assert len(first.secret) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.read_or_create(path) == first
    assert list(path.parent.iterdir()) == [path]


def test_several_that_start_at_once_get_one_whole_key(tmp_path: Path) -> None:
    for turn in range(20):
        path = tmp_path / str(turn) / "signing.key"
        with ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda _, path=path: SigningKey.read_or_create(path), range(8)))
        assert len({key.secret for key in keys}) == 1


def test_a_signature_fits_its_content_and_key_only() -> None:
    key, other = SigningKey(b"a" * 32), SigningKey(b"b" * 32)
    signature = key.sign(b"content")
    assert key.verifies(b"content", signature)
    assert not key.verifies(b"Content", signature)
    assert not other.verifies(b"content", signature)
    assert not key.verifies(b"content", "é")


def test_the_secret_is_not_shown() -> None:
    assert "aaa" not in repr(SigningKey(b"a" * 32))
    assert "6161" not in repr(SigningKey(b"a" * 32))


def test_a_missing_key_says_where_it_was_looked_for_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "none.key"
    with pytest.raises(SigningError, match=r"no signing key at .*none\.key; copy it from where the model was trained"):
        SigningKey.read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has 0 bytes"),
        (b"ab" * 16, "has 16 bytes, 32 are needed"),
        (b"not hex at all", "cannot be read as hex digits"),
        (b"\xff\xfe", "cannot be read as hex digits"),
    ],
)
def test_a_short_or_unreadable_key_says_what_to_do(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    with pytest.raises(SigningError, match=f"{problem}.*copy it again from where the model was trained"):
        SigningKey.read_or_create(path)
    assert path.read_bytes() == content
