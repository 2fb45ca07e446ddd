"""`sameface reembed` and `forget-model`: a served gallery under another model, with real servers."""

import json
from pathlib import Path

import onnx
import pytest

from app.faces.card import METADATA_KEY
from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.gallery.store import GalleryStore
from app.settings import Settings
from tests.commands.conftest import Command
from tests.gallery.faces import new_face
from tests.processes import Server, environment, run, serving

OTHER = "other-model"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The served files, and the same embedder under another name and id."""
    folder = tmp_path_factory.mktemp("weights")
    served = Settings().weights_dir
    for path in served.glob("*.onnx"):
        (folder / path.name).symlink_to(path)
    model = onnx.load(served / f"{Settings().model}.onnx")
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = json.dumps(json.loads(entry.value) | {"id": OTHER})
    onnx.save(model, folder / f"{OTHER}.onnx")
    return folder


def enroll(server: Server, subject_id: str, image: bytes) -> str:
    fields = {"subject_id": subject_id, "on_duplicate": "allow"}
    answer = server.http.post("/gallery/enroll", files={"image": image}, data=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["faces"][0]["face_id"])


def identified(server: Server, image: bytes) -> list[tuple[str, str]]:
    answer = server.http.post("/identify", files={"image": image}, data={"threshold": "1e-5"})
    [face] = answer.json()["faces"]
    return [(candidate["subject_id"], candidate["face_id"]) for candidate in face["candidates"]]


def test_a_gallery_changes_its_model_beside_a_running_server(
    tmp_path: Path, weights: Path, portrait: bytes, portrait_again: bytes
) -> None:
    database = tmp_path / "sameface.db"
    shared = {"SAMEFACE_WEIGHTS_DIR": str(weights), "SAMEFACE_MIN_FACE_PX": "60"}
    changed = environment(database, SAMEFACE_MODEL=OTHER, **shared)
    with serving(database, SAMEFACE_STORE_CROPS="true", **shared) as server:
        face_id = enroll(server, "ada", portrait)
        told = run("serve", "--port", "0", env=changed)
        assert told.returncode == 3
        assert "`sameface reembed` makes those of the 1 faces whose crop is kept" in told.stderr
        told = run("reembed", env=changed)
        assert told.returncode == 0, told.stderr
        assert f"1 faces are embedded with the model {OTHER}" in told.stdout
        assert identified(server, portrait) == [("ada", face_id)]
    with serving(database, **shared) as server:  # crops are not kept any more
        enroll(server, "bob", portrait_again)
    told = run("forget-model", json.loads(_card(weights))["id"], env=changed)
    assert told.returncode == 3
    assert "--lose-faces" in told.stderr
    told = run("reembed", env=changed)
    assert told.returncode == 1
    assert "1 are not: 1 have no crop" in told.stderr
    told = run("reembed", "--missing", env=changed)
    assert [json.loads(line) for line in told.stdout.splitlines()] == [
        {"gallery": "default", "subject_id": "bob", "faces": 1}
    ]
    with serving(database, SAMEFACE_MODEL=OTHER, **shared) as server:
        assert identified(server, portrait) == [("ada", face_id)]
        assert identified(server, portrait_again) == []
        enroll(server, "bob", portrait_again)
        assert [subject for subject, _ in identified(server, portrait_again)] == ["bob"]
    told = run("forget-model", json.loads(_card(weights))["id"], env=changed)
    assert told.returncode == 0, told.stderr
    assert "2 embeddings" in told.stdout


def test_what_was_done_is_told_as_json(sameface: Command, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'own.db'}")
    migrate(engine)
    GalleryStore(engine, OTHER).add("default", "ada", [new_face(1)])
    engine.dispose()
    served = json.loads(_card(Settings().weights_dir))["id"]
    told = sameface("reembed", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout) == {"model_id": served, "faces": 0, "missing": 1, "without_crop": 1}
    told = sameface("forget-model", served, "--json")
    assert told.exit_code == 3
    assert "cannot be forgotten" in json.loads(told.stdout)["error"]["detail"]
    told = sameface("forget-model", OTHER, "--lose-faces", "--json")
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout) == {"model_id": OTHER, "embeddings": 1}


def _card(weights: Path) -> str:
    model = onnx.load(weights / f"{Settings().model}.onnx")
    return next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY)
