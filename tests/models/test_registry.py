from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from models.bundle import MANIFEST, BundleError, BundleMissingError, BundleRejectedError
from models.registry import CHAMPION, KEEP, LOCK, Registry
from models.signing import SigningKey

Write = Callable[..., Path]
VERSIONS = ("v1", "v2", "v3", "v4", "v5")


@pytest.fixture
def five(registry: Registry, write: Write) -> Registry:
    for version in VERSIONS:
        write(version)
    return registry


def test_an_empty_store_has_nothing_and_says_what_to_do(registry: Registry, key: SigningKey) -> None:
    assert registry.names() == ()
    assert registry.versions("reasons") == ()
    assert registry.champion("reasons") is None
    with pytest.raises(BundleMissingError, match="run 'paretodesk train'"):
        registry.read("reasons", key)


def test_the_promoted_version_serves(five: Registry, key: SigningKey) -> None:
    assert five.versions("reasons") == VERSIONS
    assert five.names() == ("reasons",)
    five.promote("reasons", "v2")
    assert five.read("reasons", key).manifest.version == "v2"
    assert five.read("reasons", key, "v4").manifest.version == "v4"


def test_rollback_goes_back_step_by_step(five: Registry) -> None:
    for version in ("v1", "v3", "v2"):
        five.promote("reasons", version)
    assert five.rollback("reasons").version == "v3"
    assert five.rollback("reasons").version == "v1"
    with pytest.raises(BundleError, match="no earlier version to go back to"):
        five.rollback("reasons")
    champion = five.champion("reasons")
    assert champion is not None
    assert champion.version == "v1"


def test_rollback_passes_over_versions_that_are_gone(five: Registry) -> None:
    for version in ("v1", "v2", "v3"):
        five.promote("reasons", version)
    (five.folder("reasons", "v2") / MANIFEST).unlink()
    assert five.rollback("reasons").version == "v1"


def test_promoting_the_champion_again_changes_nothing(five: Registry) -> None:
    five.promote("reasons", "v1")
    first = five.promote("reasons", "v2")
    assert five.promote("reasons", "v2") == first == five.champion("reasons")


def test_an_unknown_version_is_not_promoted(five: Registry) -> None:
    five.promote("reasons", "v1")
    with pytest.raises(BundleMissingError, match="no version v9; it has v1, v2, v3, v4, v5"):
        five.promote("reasons", "v9")
    champion = five.champion("reasons")
    assert champion is not None
    assert champion.version == "v1"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": "v1"}', '"v1"', "null"])
def test_a_broken_pointer_is_reported_and_a_promotion_mends_it(five: Registry, content: str) -> None:
    (five.store / "reasons" / CHAMPION).write_text(content)
    with pytest.raises(BundleError, match="promote a version again to write it anew"):
        five.champion("reasons")
    five.promote("reasons", "v3")
    champion = five.champion("reasons")
    assert champion is not None
    assert champion.version == "v3"


def test_a_pointer_out_of_the_store_is_refused(five: Registry, key: SigningKey) -> None:
    (five.store / "reasons" / CHAMPION).write_text('{"version": "../../x", "previous": [], "changed_at": ""}')
    with pytest.raises(BundleError, match="is no name for a model"):
        five.read("reasons", key)


@pytest.mark.parametrize(
    "part", ["..", ".", "", "a/b", "../x", "/etc", "A", "a b", "a\x00", ".hidden", "x" * 65, "a\n"]
)
def test_names_that_leave_their_folder_are_refused(registry: Registry, key: SigningKey, part: str) -> None:
    for act in (
        lambda: registry.folder(part, "v1"),
        lambda: registry.folder("reasons", part),
        lambda: registry.versions(part),
        lambda: registry.champion(part),
        lambda: registry.promote(part, "v1"),
        lambda: registry.read("reasons", key, part),
        lambda: registry.new_version(part),
        lambda: registry.prune(part),
    ):
        with pytest.raises(BundleError, match="is no name for a model"):
            act()


def test_other_things_in_the_store_are_no_models(five: Registry) -> None:
    (five.store / "lost+found").mkdir()
    (five.store / "README.md").write_text("hello")
    draft = five.store / "reasons" / ".draft-123"
    draft.mkdir()
    (draft / MANIFEST).write_text("{}")
    five.promote("reasons", "v5")
    assert five.names() == ("reasons",)
    assert five.versions("reasons") == VERSIONS
    five.prune("reasons")
    assert draft.exists()


def test_pruning_keeps_three_at_least_and_the_champion(five: Registry) -> None:
    five.promote("reasons", "v1")
    assert set(five.prune("reasons", keep=0)) == {"v2", "v3"}
    assert five.versions("reasons") == ("v1", "v4", "v5")
    assert len(five.versions("reasons")) == KEEP


def test_pruning_keeps_what_one_may_go_back_to(five: Registry) -> None:
    for version in ("v1", "v2"):
        five.promote("reasons", version)
    assert five.prune("reasons") == ("v4", "v3")
    assert five.rollback("reasons").version == "v1"


def test_pruning_without_a_champion_keeps_the_newest(five: Registry) -> None:
    five.prune("reasons", keep=4)
    assert five.versions("reasons") == ("v2", "v3", "v4", "v5")


def test_new_versions_are_never_taken_yet(registry: Registry, write: Write) -> None:
    now = datetime(2026, 11, 21, 22, 45, 12, tzinfo=UTC)
    assert registry.new_version("reasons", now) == "20261121-224512"
    write("20261121-224512")
    write("20261121-224512-2")
    assert registry.new_version("reasons", now) == "20261121-224512-3"


def test_promoting_at_once_always_leaves_a_readable_pointer(five: Registry) -> None:
    def act(turn: int) -> str:
        five.promote("reasons", VERSIONS[turn % 5])
        champion = five.champion("reasons")
        assert champion is not None
        return champion.version

    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(act, range(120)))
    champion = five.champion("reasons")
    assert champion is not None
    assert champion.version in VERSIONS
    assert seen <= set(VERSIONS)
    assert champion.version not in champion.previous
    assert [path.name for path in (five.store / "reasons").iterdir() if path.name.startswith(".champion")] == []


def test_a_champion_that_was_tampered_with_does_not_open(five: Registry, key: SigningKey) -> None:
    five.promote("reasons", "v2")
    (five.folder("reasons", "v2") / "model.json").write_text("{}")
    with pytest.raises(BundleRejectedError, match="changed after it was signed"):
        five.read("reasons", key)


def test_promoting_at_once_forgets_no_predecessor(five: Registry) -> None:
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda version: Registry(five.store).promote("reasons", version), VERSIONS))
    champion = five.champion("reasons")
    assert champion is not None
    assert {champion.version, *champion.previous} == set(VERSIONS)


def test_a_champion_that_another_process_keeps_changing_is_left_alone(
    five: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    five.promote("reasons", "v1")
    monkeypatch.setattr("models.registry.LOCK_TIMEOUT_S", 0.05)
    with FileLock(five.store / "reasons" / LOCK):
        for act in (
            lambda: five.promote("reasons", "v2"),
            lambda: five.rollback("reasons"),
            lambda: five.prune("reasons"),
        ):
            with pytest.raises(BundleError, match="held by another process"):
                act()
    champion = five.champion("reasons")
    assert champion is not None
    assert champion.version == "v1"
    assert five.versions("reasons") == VERSIONS
