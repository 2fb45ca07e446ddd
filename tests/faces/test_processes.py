"""Photographs read in processes of their own: answers as from threads, and what becomes of a process that dies."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.domain import FaceChoice
from app.errors import (
    ConfigurationError,
    DeadlineExceeded,
    NoFace,
    NotReady,
    Overloaded,
    SeveralFaces,
    UnreadableImage,
)
from app.faces.choose import Selection
from app.faces.inference import NetworkOptions, Reading, Task
from app.faces.pipeline import FacePipeline
from app.faces.processes import ProcessInference
from app.faces.threads import ThreadInference
from tests.faces.conftest import WEIGHTS, card, write_embedder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes are handed on to processes on POSIX alone")

TASK = Task(Selection(FaceChoice.LARGEST))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> NetworkOptions:
    """The served detector and a small embedder."""
    folder = tmp_path_factory.mktemp("weights")
    for name in ("mtcnn_pnet.onnx", "mtcnn_rnet.onnx", "mtcnn_onet.onnx"):
        (folder / name).symlink_to(WEIGHTS / name)
    write_embedder(folder / "tiny.onnx", card())
    return NetworkOptions(folder, "tiny.onnx")


def opened(
    options: NetworkOptions, *, workers: int = 1, max_queue: int = 64, max_seconds: float = 30.0
) -> ProcessInference:
    return ProcessInference(options, workers=workers, max_batch=8, max_queue=max_queue, max_seconds=max_seconds)


@pytest.fixture(scope="module")
def inference(options: NetworkOptions) -> Iterator[ProcessInference]:
    processes = opened(options, workers=2)
    yield processes
    processes.close()


def test_the_answers_are_those_of_threads(
    inference: ProcessInference, options: NetworkOptions, portrait: bytes, two_faces: bytes, no_face: bytes
) -> None:
    threads = ThreadInference.open(options, workers=1, max_batch=8, max_queue=64)
    assert inference.card == threads.card
    assert inference.provider == threads.provider
    tasks = [
        (portrait, TASK),
        (portrait, Task(Selection(FaceChoice.LARGEST), keep_crops=True)),
        (two_faces, Task(Selection())),
        (two_faces, Task(Selection(max_faces=1, min_confidence=0.5), embed=False)),
        (no_face, Task(Selection())),
    ]
    for data, task in tasks:
        ours, theirs = (asyncio.run(reader.read(data, task)) for reader in (inference, threads))
        assert [(face.box, face.quality) for face in ours.faces] == [(face.box, face.quality) for face in theirs.faces]
        assert ours.kept == theirs.kept
        assert (ours.faces_found, ours.width_px, ours.height_px) == (
            theirs.faces_found,
            theirs.width_px,
            theirs.height_px,
        )
        assert ours.took_ms.keys() == theirs.took_ms.keys()
        np.testing.assert_allclose(ours.embeddings, theirs.embeddings, atol=1e-6)
    threads.close()


def test_errors_come_back_as_they_were_raised(
    inference: ProcessInference, portrait: bytes, two_faces: bytes, no_face: bytes
) -> None:
    pipeline = FacePipeline(inference)

    async def together() -> list[object]:
        work = [
            pipeline.embed(no_face, field="image2"),
            pipeline.embed(two_faces, FaceChoice.ONLY),
            pipeline.embed(portrait[:2000]),
            pipeline.embed(portrait),
        ]
        return list(await asyncio.gather(*work, return_exceptions=True))

    *failed, last = asyncio.run(together())
    assert [type(error) for error in failed] == [NoFace, SeveralFaces, UnreadableImage]
    assert isinstance(failed[0], NoFace)
    assert (failed[0].field, failed[0].facts) == ("image2", {"faces_found": 0})
    assert not isinstance(last, BaseException)
    assert inference.healthy


def test_what_waits_while_all_are_busy_is_read_together_and_each_answered_for(
    options: NetworkOptions, portrait: bytes, two_faces: bytes, no_face: bytes
) -> None:
    processes = ProcessInference(options, workers=1, max_batch=2, max_queue=8, max_seconds=30)

    async def scenario() -> list[object]:
        os.kill(processes.pids[0], signal.SIGSTOP)
        first = asyncio.ensure_future(processes.read(portrait, TASK))
        await asyncio.sleep(0)
        await until(lambda: processes.depth == 0)
        work = [
            (two_faces, Task(Selection())),
            (no_face, TASK),
            (portrait[:2000], TASK),
            (portrait, Task(Selection(), embed=False)),
        ]
        waiting = [asyncio.ensure_future(processes.read(*each)) for each in work]
        await until(lambda: processes.depth == 4)
        os.kill(processes.pids[0], signal.SIGCONT)
        return list(await asyncio.gather(first, *waiting, return_exceptions=True))

    alone, pair, none, damaged, unembedded = asyncio.run(scenario())
    assert processes.batch_sizes[4] == 1
    assert isinstance(alone, Reading)
    assert isinstance(pair, Reading)
    assert isinstance(unembedded, Reading)
    assert [type(none), type(damaged)] == [NoFace, UnreadableImage]
    assert (len(pair.faces), len(pair.embeddings), len(unembedded.embeddings)) == (2, 2, 0)
    np.testing.assert_allclose(pair.embeddings[0], alone.embeddings[0], atol=0.05)
    assert "embed" in pair.took_ms
    assert "embed" not in unembedded.took_ms
    processes.close()


def test_a_killed_process_is_replaced_and_its_photograph_read_again(
    options: NetworkOptions, portrait: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    processes = opened(options)
    (first,) = processes.pids
    os.kill(first, signal.SIGKILL)
    assert len(asyncio.run(processes.read(portrait, TASK)).faces) == 1
    assert processes.deaths == 1
    assert processes.pids != [first]
    assert "SIGKILL" in str(caplog.records[0].__dict__)
    assert processes.healthy
    processes.close()


def test_a_process_that_is_killed_again_and_again_is_unavailable_and_then_back(
    options: NetworkOptions, portrait: bytes
) -> None:
    processes = opened(options)
    with Killer(processes, signal.SIGKILL), pytest.raises(NotReady, match="were ended"):
        asyncio.run(processes.read(portrait, TASK))
    assert not processes.healthy
    asyncio.run(processes.probe())
    assert processes.healthy
    assert len(asyncio.run(processes.read(portrait, TASK)).faces) == 1
    processes.close()


def test_a_photograph_that_crashes_the_process_twice_is_at_fault(options: NetworkOptions, portrait: bytes) -> None:
    processes = opened(options)
    with Killer(processes, signal.SIGSEGV), pytest.raises(UnreadableImage, match="crashed, twice"):
        asyncio.run(processes.read(portrait, TASK))
    processes.close()


def test_a_photograph_that_takes_too_long_costs_the_process_and_not_the_service(
    options: NetworkOptions, portrait: bytes
) -> None:
    processes = opened(options, max_seconds=0.5)
    (stuck,) = processes.pids
    os.kill(stuck, signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded, match=r"0\.5 s"):
        asyncio.run(processes.read(portrait, TASK))
    assert not is_alive(stuck)
    processes.close()


def test_what_waits_is_bounded_and_leaves_when_it_is_cancelled(options: NetworkOptions, portrait: bytes) -> None:
    processes = opened(options, max_queue=2)
    (pid,) = processes.pids

    async def scenario() -> None:
        os.kill(pid, signal.SIGSTOP)
        working = asyncio.ensure_future(processes.read(portrait, TASK))
        await asyncio.sleep(0)
        await until(lambda: processes.depth == 0)
        waiting = [asyncio.ensure_future(processes.read(portrait, TASK)) for _ in range(2)]
        await until(lambda: processes.depth == 2)
        with pytest.raises(Overloaded, match="2 items wait"):
            await processes.read(portrait, TASK)
        waiting[0].cancel()
        await until(lambda: processes.depth == 1)
        os.kill(pid, signal.SIGCONT)
        await asyncio.gather(working, waiting[1])

    asyncio.run(scenario())
    assert processes.depth == 0
    processes.close()


def test_a_closed_one_finishes_what_it_accepted_and_takes_no_more(options: NetworkOptions, portrait: bytes) -> None:
    processes = opened(options)
    pids = processes.pids

    async def scenario() -> None:
        accepted = [asyncio.ensure_future(processes.read(portrait, TASK)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.to_thread(processes.close)
        assert [len(reading.faces) for reading in await asyncio.gather(*accepted)] == [1, 1, 1]
        with pytest.raises(NotReady):
            await processes.read(portrait, TASK)

    asyncio.run(scenario())
    assert not any(map(is_alive, pids))


def test_a_wrong_model_is_an_error_of_configuration(options: NetworkOptions, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model file"):
        opened(NetworkOptions(tmp_path, "missing.onnx"), workers=2)


def test_processes_end_with_the_one_that_started_them_and_know_nothing_of_its_settings(options: NetworkOptions) -> None:
    script = f"""
import sys, time
from pathlib import Path
from app.faces.inference import NetworkOptions
from app.faces.processes import ProcessInference
processes = ProcessInference(
    NetworkOptions(Path({str(options.weights)!r}), "tiny.onnx"), workers=2, max_batch=8, max_queue=8, max_seconds=30
)
print(*processes.pids, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SAMEFACE_TEMPLATE_KEYS": "secret"},
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        if sys.platform == "linux":
            assert b"SAMEFACE_" not in Path(f"/proc/{pids[0]}/environ").read_bytes()
        parent.kill()
    asyncio.run(until(lambda: not any(map(is_alive, pids))))


def test_they_leave_the_signals_that_stop_a_service_to_it(options: NetworkOptions, portrait: bytes) -> None:
    processes = opened(options)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(processes.pids[0], number)
    asyncio.run(processes.read(portrait, TASK))
    assert processes.deaths == 0
    processes.close()


class Killer:
    """Sends a signal to every process as soon as it is there."""

    def __init__(self, processes: ProcessInference, number: int) -> None:
        self._processes, self._number = processes, number
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._kill)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _kill(self) -> None:
        killed: set[int] = set()
        while not self._done.wait(0.001):
            for pid in set(self._processes.pids) - killed:
                os.kill(pid, signal.SIGSTOP)
                os.kill(pid, self._number)
                os.kill(pid, signal.SIGCONT)
                killed.add(pid)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that is dead and waits to be asked for its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False
