"""Two processes share an index: one feeds it, and when that is killed in the midst of it the other one goes on."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from app.gallery.milvus.index import MilvusIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import (
    EMBEDDING_SIZE,
    MODEL_ID,
    KnownFace,
    assert_same_candidates,
    brute_force,
    embedding,
    new_face,
)
from tests.gallery.milvus_server import AlwaysElected, LiteServer

REPOSITORY = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 90.0
SUBJECTS = 60


class Feeder:
    """A process that feeds, and what it last said."""

    def __init__(self, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.gallery.milvus.feeder", *arguments]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.revision, self.elected = 0, False
        self._said: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)

    def listen(self) -> None:
        """Take in what it has said."""
        while not self._said.empty():
            line = json.loads(self._said.get())
            self.revision, self.elected = line["revision"], line["elected"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def feeders(count: int, *arguments: str) -> Iterator[list[Feeder]]:
    started = [Feeder(*arguments) for _ in range(count)]
    try:
        yield started
    finally:
        for feeder in started:
            if feeder.process.poll() is None:
                feeder.kill()


def elected(running: list[Feeder], after_revision: int = 0) -> Feeder:
    """The one that feeds, once it has got beyond a revision."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for feeder in running:
            feeder.listen()
        writers = [feeder for feeder in running if feeder.elected]
        assert len(writers) < 2
        if writers and writers[0].revision > after_revision:
            return writers[0]
        time.sleep(0.01)
    raise AssertionError("nobody feeds the index")


def test_when_the_process_that_feeds_is_killed_another_one_goes_on_and_nothing_is_missed(
    database_url: str, store: GalleryStore, milvus: LiteServer
) -> None:
    photos = {f"s{number}": [2 * number, 2 * number + 1] for number in range(SUBJECTS)}
    faces: dict[str, list[KnownFace]] = {}

    def enroll(subject: str) -> None:
        enrolled = store.add("default", subject, [new_face(photo) for photo in photos[subject]])
        rows = zip(enrolled.faces, photos[subject], strict=True)
        faces[subject] = [KnownFace(face.face_id, subject, None, embedding(photo)) for face, photo in rows]

    for subject in list(photos)[: SUBJECTS // 2]:
        enroll(subject)
    options = milvus.options()
    with feeders(2, database_url, milvus.uri, options.collection) as running:
        first = elected(running)
        for number, subject in enumerate(list(photos)[SUBJECTS // 2 :]):
            enroll(subject)
            store.remove_subject("default", f"s{number}")
            del faces[f"s{number}"]
        first = elected(running, first.revision)
        first.kill()
        [second] = [feeder for feeder in running if feeder is not first]
        enroll("s0")
        assert elected([second], store.revision() - 1) is second
    index = MilvusIndex(options, MODEL_ID, EMBEDDING_SIZE, never_elected())
    assert index.sinks() == []
    every = [face for rows in faces.values() for face in rows]
    state = index.state("default")
    assert (state.revision, state.subjects, state.faces) == (store.revision(), len(faces), len(every))
    probes = np.stack([embedding(seed) for seed in range(1000, 1010)])
    for probe, found in zip(probes, index.search("default", probes, 5), strict=True):
        assert_same_candidates(found, brute_force(every, probe, 5))
    index.close()


def never_elected() -> AlwaysElected:
    election = AlwaysElected()
    election.close()
    return election
