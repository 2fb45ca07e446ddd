"""The batcher under concurrency, poison, cancellation, overload and closing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager

import pytest

from app.batcher import MicroBatcher
from app.errors import NotReady, Overloaded

WAIT_SECONDS = 10.0


def squares(items: list[int]) -> list[int]:
    return [item * item for item in items]


@contextmanager
def batcher(
    run: Callable[[list[int]], list[int]] = squares, *, max_batch: int = 8, max_queue: int = 1000
) -> Iterator[MicroBatcher[int, int]]:
    opened = MicroBatcher(run, name="test", max_batch=max_batch, max_queue=max_queue)
    try:
        yield opened
    finally:
        opened.close()


class Gate:
    """A run function that holds its first batch until told to go on, and remembers every batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.entered.set()
        assert self.open.wait(WAIT_SECONDS)
        return squares(items)

    def hold(self, work: MicroBatcher[int, int]) -> Future[int]:
        """Occupy the worker with item 0."""
        future = work.submit(0)
        assert self.entered.wait(WAIT_SECONDS)
        return future


def test_every_caller_gets_the_result_of_its_own_item() -> None:
    def ask_all(work: MicroBatcher[int, int], start: int, answers: dict[int, int]) -> None:
        for item in range(start, start + 200):
            answers[item] = work.submit(item).result(WAIT_SECONDS)

    answers: dict[int, int] = {}
    with batcher() as work:
        threads = [threading.Thread(target=ask_all, args=(work, 200 * i, answers)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {item: item * item for item in range(1600)}


def test_what_waits_while_a_batch_runs_becomes_the_next_batch() -> None:
    gate = Gate()
    with batcher(gate, max_batch=4) as work:
        gate.hold(work)
        futures = [work.submit(item) for item in range(1, 7)]
        gate.open.set()
        assert [future.result(WAIT_SECONDS) for future in futures] == [1, 4, 9, 16, 25, 36]
    assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_batch_takes_no_more_weight_than_it_may_unless_it_is_one_item() -> None:
    gate = Gate()
    work = MicroBatcher(gate, name="test", max_batch=8, max_queue=100, weigh=lambda item: item, max_weight=10)
    first = gate.hold(work)
    waiting = [work.submit(item) for item in (4, 5, 2, 30, 1, 1)]
    waiting[2].cancel()
    waiting += [work.submit(item) for item in (9, 8)]
    gate.open.set()
    assert [future.result(WAIT_SECONDS) for future in (first, waiting[-1])] == [0, 64]
    work.close()
    assert gate.batches == [[0], [4, 5], [30], [1, 1], [9], [8]]


def test_a_poisoned_batch_fails_only_its_own_waiters() -> None:
    gate = Gate()

    def run(items: list[int]) -> list[int]:
        answers = gate(items)
        if 13 in items:
            raise ArithmeticError("poison")
        return answers

    with batcher(run, max_batch=2) as work:
        before = gate.hold(work)
        poisoned, beside, after = (work.submit(item) for item in (13, 2, 3))
        gate.open.set()
        assert before.result(WAIT_SECONDS) == 0
        for future in (poisoned, beside):
            with pytest.raises(ArithmeticError, match="poison"):
                future.result(WAIT_SECONDS)
        assert after.result(WAIT_SECONDS) == 9


@pytest.mark.parametrize("fault", [SystemExit, KeyboardInterrupt, MemoryError], ids=lambda fault: fault.__name__)
def test_the_thread_outlives_whatever_a_batch_raises(fault: type[BaseException]) -> None:
    def run(items: list[int]) -> list[int]:
        if 13 in items:
            raise fault
        return squares(items)

    with batcher(run) as work:
        with pytest.raises(fault):
            work.submit(13).result(WAIT_SECONDS)
        assert not work.healthy
        assert work.submit(2).result(WAIT_SECONDS) == 4
        assert work.healthy


@pytest.mark.parametrize("rows", [0, 2])
def test_a_wrong_number_of_rows_is_an_error_and_not_someone_elses_result(rows: int) -> None:
    with batcher(lambda items: [7] * rows) as work, pytest.raises(RuntimeError, match=f"{rows} results for 1 items"):
        work.submit(1).result(WAIT_SECONDS)


def test_cancelled_items_never_reach_the_run_function() -> None:
    gate = Gate()
    with batcher(gate) as work:
        gate.hold(work)
        abandoned, wanted = work.submit(1), work.submit(2)
        assert abandoned.cancel()
        assert work.depth == 1
        gate.open.set()
        assert wanted.result(WAIT_SECONDS) == 4
    assert gate.batches == [[0], [2]]
    with pytest.raises(CancelledError):
        abandoned.result(WAIT_SECONDS)


def test_cancelling_the_awaiting_task_drops_the_item() -> None:
    gate = Gate()

    async def scenario(work: MicroBatcher[int, int]) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await work.ask(1)
        wanted = asyncio.create_task(work.ask(2))
        await asyncio.sleep(0)
        gate.open.set()
        return await wanted

    with batcher(gate) as work:
        gate.hold(work)
        assert asyncio.run(scenario(work)) == 4
    assert gate.batches == [[0], [2]]


def test_a_full_queue_refuses_at_once_and_accepts_again_when_it_has_drained() -> None:
    gate = Gate()
    with batcher(gate, max_queue=2) as work:
        gate.hold(work)
        accepted = [work.submit(1), work.submit(2)]
        assert work.depth == 2
        with pytest.raises(Overloaded) as refusal:
            work.submit(3)
        assert refusal.value.facts["max_queue"] == 2
        gate.open.set()
        assert [future.result(WAIT_SECONDS) for future in accepted] == [1, 4]
        assert work.submit(3).result(WAIT_SECONDS) == 9


def test_abandoned_items_do_not_keep_live_ones_out() -> None:
    gate = Gate()
    with batcher(gate, max_queue=2) as work:
        gate.hold(work)
        for item in (1, 2):
            work.submit(item).cancel()
        wanted = work.submit(3)
        gate.open.set()
        assert wanted.result(WAIT_SECONDS) == 9


def test_closing_finishes_accepted_work_and_refuses_new_work() -> None:
    gate = Gate()
    with batcher(gate, max_batch=2) as work:
        accepted = [gate.hold(work), *(work.submit(item) for item in (1, 2, 3))]
        closing = threading.Thread(target=work.close)
        closing.start()
        gate.open.set()
        closing.join(WAIT_SECONDS)
        assert not closing.is_alive()
        assert [future.result(0) for future in accepted] == [0, 1, 4, 9]
        with pytest.raises(NotReady):
            work.submit(4)


def test_closing_twice_is_harmless() -> None:
    with batcher() as work:
        work.close()
        work.close()


def test_several_threads_share_what_waits() -> None:
    """Each of two takes half of what waits then, so that neither has all the work and the last of it is shared too."""
    meeting, batches = threading.Barrier(3), []

    def run(items: list[int]) -> list[int]:
        batches.append(len(items))
        meeting.wait(10)
        return items

    batcher: MicroBatcher[int, int] = MicroBatcher(run, name="shared", max_batch=8, max_queue=16, threads=2)
    first = [batcher.submit(number) for number in range(2)]
    while len(batches) < 2:
        time.sleep(0.001)
    waiting = [batcher.submit(number) for number in range(8)]
    for _ in range(3):
        meeting.wait(10)
    assert [future.result(10) for future in first + waiting] == [0, 1, *range(8)]
    assert sorted(batches) == [1, 1, 1, 1, 2, 4]
    batcher.close()
