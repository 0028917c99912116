from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from classifier.datafile import DataFileError, load_front_matter, load_yaml, parse_yaml


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str
    count: int


class File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int
    items: tuple[Item, ...] = ()
    words: tuple[str, ...] = ()
    open: bool = False


GOOD = "version: 1\nitems:\n  - id: a\n    count: 1\n  - id: b\n    count: 2\n"


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert [item.id for item in load_yaml(path, File).items] == ["a", "b"]


def test_a_wrong_value_is_named_by_file_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(GOOD.replace("count: 2", "count: two"))
    with pytest.raises(DataFileError) as error:
        load_yaml(path, File)
    assert str(error.value).startswith(f"{path}:6: items.1.count: ")


def test_every_mistake_has_its_line() -> None:
    text = "version: one\nitems:\n  - id: a\n    count: x\n    colour: red\n"
    with pytest.raises(DataFileError) as error:
        parse_yaml(text, File, "f.yaml", first_line=10)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    starts = ("f.yaml:10: version:", "f.yaml:13: items.0.count:", "f.yaml:14: items.0.colour:")
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(start)


def test_a_missing_field_points_at_its_parent() -> None:
    with pytest.raises(DataFileError, match=r"^f\.yaml:3: items\.0\.count: Field required"):
        parse_yaml("version: 1\nitems:\n  - id: a\n", File, "f.yaml")


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "No", "y"])
def test_words_that_older_yaml_takes_for_booleans_stay_words(word: str) -> None:
    assert parse_yaml(f"version: 1\nwords: [{word}]\n", File, "f.yaml").words == (word,)


def test_true_is_still_a_boolean() -> None:
    assert parse_yaml("version: 1\nopen: true\n", File, "f.yaml").open is True


def test_broken_yaml_names_the_line() -> None:
    with pytest.raises(DataFileError, match=r"^f\.yaml:3: not valid YAML: "):
        parse_yaml("version: 1\nitems: [a\nwords: ]\n", File, "f.yaml")


@pytest.mark.parametrize(("text", "found"), [("- a\n- b\n", "list"), ("", "NoneType"), ("hello", "str")])
def test_a_file_that_is_no_mapping_says_what_it_is(text: str, found: str) -> None:
    with pytest.raises(DataFileError, match=f"expected a mapping of fields, found {found}"):
        parse_yaml(text, File, "f.yaml")


def test_yaml_tags_construct_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(DataFileError, match="not valid YAML"):
        parse_yaml(f"version: !!python/object/apply:os.mkdir ['{trap}']\n", File, "f.yaml")
    assert not trap.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"gone\.yaml: no such file"):
        load_yaml(tmp_path / "gone.yaml", File)


def test_a_file_that_is_not_utf8_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("version: 1 # é".encode("latin-1"))
    with pytest.raises(DataFileError, match="byte 13 is not UTF-8; save the file as UTF-8"):
        load_yaml(path, File)


def article(folder: Path, text: str) -> Path:
    path = folder / "article.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_front_matter_and_body_are_split_with_the_line_of_the_body(tmp_path: Path) -> None:
    path = article(tmp_path, "---\nid: a\ncount: 3\n---\n\nFirst line\n---\nstill body\n")
    item, body, line = load_front_matter(path, Item)
    assert (item.count, body, line) == (3, "First line\n---\nstill body", 5)


def test_a_mistake_in_front_matter_has_the_line_of_the_file(tmp_path: Path) -> None:
    path = article(tmp_path, "---\nid: a\ncount: many\n---\nbody\n")
    with pytest.raises(DataFileError, match=r"article\.md:3: count: "):
        load_front_matter(path, Item)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "front matter is missing"),
        ("# Title\n", "front matter is missing"),
        ("---\nid: a\ncount: 1\n", "front matter is not closed"),
    ],
)
def test_front_matter_that_is_missing_or_open_says_so(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataFileError, match=rf"article\.md:1: {problem}"):
        load_front_matter(article(tmp_path, text), Item)
