"""What was acknowledged stays, through restart and `kill -9`; what was erased leaves no byte behind."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.gallery.engine import open_engine
from app.gallery.faiss_index import FaissIndex
from app.gallery.follower import GalleryFollower
from app.gallery.store import GalleryStore
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, embedding, new_face
from tests.gallery.writer import THREADS

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 10
Photos = dict[str, set[int]]

READ_IN_A_NEW_PROCESS = """
import json, sys
from app.gallery.engine import open_engine
from app.gallery.follower import GalleryFollower
from app.gallery.faiss_index import FaissIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import EMBEDDING_SIZE, MODEL_ID, embedding

store, index = GalleryStore(open_engine(sys.argv[1]), MODEL_ID), FaissIndex(EMBEDDING_SIZE)
follower = GalleryFollower(store, index)
follower.start()
assert follower.wait_for(store.revision(), 60)
[found] = index.search("default", embedding(1)[None], 5)
subject = store.subject("default", "ada")
print(json.dumps([[(c.subject_id, c.name, c.face_id, c.distance) for c in found], subject.metadata, subject.faces]))
follower.stop()
"""


def python(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    )


def test_a_new_process_finds_who_was_enrolled(database_url: str, store: GalleryStore) -> None:
    [ada, _] = store.add("default", "ada", [new_face(1), new_face(2)], name="Ada", metadata={"a": 1}).faces
    store.add("default", "bob", [new_face(3)])
    store.remove_subject("default", "bob")
    process = python("-c", READ_IN_A_NEW_PROCESS, database_url)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(told) == [[["ada", "Ada", ada.face_id, 0]], {"a": 1}, 2]


def after(photos: Photos, operation: dict[str, Any]) -> Photos:
    """What is stored once an operation is done."""
    subject = operation["subject"]
    held = photos.get(subject, set())
    if operation["what"] == "remove_subject":
        return {other: held for other, held in photos.items() if other != subject}
    if operation["what"] == "add":
        return photos | {subject: held | set(operation["photos"])}
    return photos | {subject: held - set(operation["photos"])}


def allowed(said: list[dict[str, Any]], thread: int) -> list[Photos]:
    """What a thread may have left: all that it was told is done, and perhaps what it was doing."""
    lines = [line for line in said if line["thread"] == thread]
    photos: Photos = {}
    for line, following in pairwise([*lines, {}]):
        if "what" in line and "done" in following:
            photos = after(photos, line)
        elif "what" in line:
            return [photos, after(photos, line)]
    return [photos]


def write_until_killed(url: str, round_: int, acknowledgements: int) -> list[dict[str, Any]]:
    """What a writing process said before it was killed."""
    process = python("-m", "tests.gallery.writer", url, str(round_))
    assert process.stdout is not None
    said: list[dict[str, Any]] = []
    for line in process.stdout:
        said.append(json.loads(line))
        if sum("done" in one for one in said) == acknowledgements:
            break
    process.kill()
    said += [json.loads(line) for line in process.stdout if line.endswith("\n")]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    return said


def findable(url: str, photo_of: dict[bytes, int]) -> Photos:
    """Subjects and their photographs as a new index has them; the database must agree in number."""
    engine = open_engine(url)
    store, index = GalleryStore(engine, MODEL_ID), FaissIndex(EMBEDDING_SIZE)
    GalleryFollower(store, index)._catch_up()
    subjects = store.subjects("default", limit=100_000)
    photos: Photos = {subject.subject_id: set() for subject in subjects}
    for block in index._state.by_name["default"].blocks:
        for row in range(block.count):
            photos[block.subject_ids[row]].add(photo_of[block.vectors[row].tobytes()])
    assert {subject.subject_id: subject.faces for subject in subjects} == {s: len(held) for s, held in photos.items()}
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    engine.dispose()
    return photos


def test_every_acknowledged_write_survives_kill_9_and_no_other_is_half_there(sqlite_url: str) -> None:
    random_ = random.Random(5)
    kept: Photos = {}
    photo_of: dict[bytes, int] = {}
    for round_ in range(ROUNDS):
        said = write_until_killed(sqlite_url, round_, random_.randint(1, 60))
        photo_of |= {embedding(photo).tobytes(): photo for line in said for photo in line.get("photos", [])}
        found = findable(sqlite_url, photo_of)
        for thread in range(THREADS):
            prefix = f"r{round_}t{thread}-"
            own = {subject: photos for subject, photos in found.items() if subject.startswith(prefix)}
            assert own in allowed(said, thread)
            kept |= own
        assert found == kept


def bytes_on_disk(folder: Path) -> bytes:
    """All of the database: its file and its log."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith("-shm"))


def remove_face(store: GalleryStore) -> None:
    for face in store.faces("default", "ada"):
        store.remove_face("default", face.face_id)


@pytest.mark.parametrize(
    "erase",
    [
        lambda store: store.remove_subject("default", "ada"),
        lambda store: store.drop_gallery("default"),
        remove_face,
    ],
    ids=["subject", "gallery", "face by face"],
)
def test_no_byte_of_an_erased_face_is_left_on_disk(
    sqlite_store: GalleryStore, tmp_path: Path, erase: Callable[[GalleryStore], object]
) -> None:
    sqlite_store.create_gallery("other")
    for seed in range(200, 230):
        sqlite_store.add("other", f"s{seed}", [new_face(seed)])
    faces = [new_face(seed) for seed in range(1, 6)]
    for face in faces:  # the name makes the rows move
        sqlite_store.add("default", "ada", [face], name=f"Ada {face.content_sha256}")
    secrets = [face.embedding.tobytes()[start : start + 16] for face in faces for start in range(0, 512, 16)]
    secrets += [face.content_sha256.encode() for face in faces]
    before = bytes_on_disk(tmp_path)
    assert all(secret in before for secret in secrets)
    erase(sqlite_store)
    on_disk = bytes_on_disk(tmp_path)
    left = [secret for secret in secrets if secret in on_disk]
    if erase is remove_face:  # the name is the subject's, who stays
        left = [secret for secret in left if secret != faces[-1].content_sha256.encode()]
    assert left == []
    assert new_face(210).embedding.tobytes()[:16] in on_disk
