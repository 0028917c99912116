"""What a command loads before it does anything: seconds that every user of the command line waits for."""

import subprocess
import sys


def test_a_command_starts_without_the_web_the_provider_and_the_heavy_libraries():
    heavy = ("authlib", "joserfc", "fastapi", "uvicorn", "service.app", "chromadb", "torch", "altair", "cleanlab")
    code = f"import sys, service.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
