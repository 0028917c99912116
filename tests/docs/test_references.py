from pathlib import Path

import pytest

from docs.generate import references

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted(references()), ids=lambda path: path.name)
def test_generated_references_are_current(path):
    assert path.read_text(encoding="utf-8") == references()[path], "run make docs"


def test_every_command_in_the_readme_exists():
    commands = {
        line.removeprefix("## ").strip()
        for line in references()[ROOT / "docs" / "cli.md"].splitlines()
        if line.startswith("## ")
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    used = [line.split("#")[0].split() for line in readme.splitlines() if line.startswith("paretodesk ")]
    assert len(used) > 8
    for words in used:
        assert any(" ".join(words[:n]) in commands for n in (2, 3)), words
