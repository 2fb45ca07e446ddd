"""`sameface rebuild-index`, `doctor` and `verify-erasure` where the index is on Milvus."""

import json
from pathlib import Path

import pytest

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from tests.gallery.faces import new_face
from tests.gallery.milvus_server import skip_without_milvus
from tests.processes import environment, run


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    skip_without_milvus()
    database = tmp_path / "sameface.db"
    migrate(f"sqlite:///{database}")
    return environment(database, SAMEFACE_INDEX="milvus", SAMEFACE_MILVUS_URI=f"{tmp_path}/milvus.db")


def test_an_index_is_built_by_the_command_itself_where_no_service_runs(env: dict[str, str]) -> None:
    engine = open_engine(env["SAMEFACE_DATABASE_URL"])
    GalleryStore(engine, "a-model-that-is-not-served").add("default", "ada", [new_face(1)])
    engine.dispose()
    rebuilt = run("rebuild-index", "--json", env=env)
    assert rebuilt.returncode == 0, rebuilt.stderr
    told = json.loads(rebuilt.stdout)
    assert (told["revision"], told["faces"]) == (2, 0)
    seen = [(found["verdict"], found["detail"]) for found in doctor(env) if found["check"] == "index"]
    assert ("ok", f"{told['collection']} serves and is not loaded; a service loads it when it starts") in seen
    proven = json.loads(run("verify-erasure", "--json", env=env).stdout)
    assert {found["check"]: found["ok"] for found in proven}["milvus"] is True


def test_where_milvus_does_not_answer_the_doctor_says_so_and_a_rebuild_is_for_later(env: dict[str, str]) -> None:
    away = env | {"SAMEFACE_MILVUS_URI": "http://127.0.0.1:1", "SAMEFACE_MILVUS_TIMEOUT_SECONDS": "1"}
    [wrong] = [found for found in doctor(away) if found["check"] == "index"]
    assert wrong["verdict"] == "wrong"
    assert "SAMEFACE_MILVUS_URI" in wrong["advice"]
    assert run("rebuild-index", env=away).returncode == 5


def test_there_is_nothing_to_rebuild_where_every_process_has_its_own(env: dict[str, str]) -> None:
    refused = run("rebuild-index", env=env | {"SAMEFACE_INDEX": "faiss"})
    assert refused.returncode == 3
    assert "SAMEFACE_INDEX is faiss" in refused.stderr


def doctor(env: dict[str, str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(run("doctor", "--json", env=env).stdout)
    return found
