"""What a command loads before it does anything: seconds that every user of the command line waits for."""

import shutil
import subprocess
import sys

from fastapi.testclient import TestClient
from threadpoolctl import threadpool_info, threadpool_limits

from kb.content import STARTER_CONTENT
from service.app import create_app
from service.settings import load_settings
from service.wiring import open_services


def test_a_command_starts_without_the_web_the_provider_and_the_heavy_libraries():
    heavy = ("authlib", "joserfc", "fastapi", "uvicorn", "service.app", "chromadb", "torch", "altair", "cleanlab")
    code = f"import sys, service.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_while_serving_blas_has_one_thread_and_gets_the_others_back(tmp_path):
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        settings = load_settings(
            home=tmp_path, models_store=tmp_path / "none", database_url=f"sqlite:///{tmp_path}/d.db"
        )
        with open_services(settings) as services:
            assert set(threads()) == {1}
            assert services.settings.threads == 1
        assert set(threads()) == {2}


def test_a_sentence_model_that_cannot_be_used_keeps_nobody_from_starting(tmp_path):
    content = tmp_path / "content"
    shutil.copytree(STARTER_CONTENT, content)
    (content / "policy.npz").write_bytes(b"not a model")
    database = f"sqlite:///{tmp_path}/d.db"
    settings = load_settings(home=tmp_path, models_store=tmp_path / "none", database_url=database, content=content)
    with open_services(settings) as services:
        assert services.sentences is None
        assert "policy.npz" in services.policy_problem
        assert "fit-policy" in services.policy_problem
        degraded = TestClient(create_app(services)).get("/readyz").json()
    assert services.policy_problem in str(degraded)
