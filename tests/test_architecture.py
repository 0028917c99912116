"""What holds for the tree as a whole."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_point_one_way():
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_modules_stay_one_room():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in ROOT.glob("*/**/*.py")
        if path.parts[len(ROOT.parts)] not in {".venv", "tests", "build"} and "migrations" not in path.parts
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 330
    }  # fmt: skip
    assert not long


def test_starting_the_command_line_imports_neither_torch_nor_sentence_transformers():
    check = "import service.cli, sys; print([m for m in ('torch', 'sentence_transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
