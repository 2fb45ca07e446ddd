"""Decisions reach the audit log in order, whatever the database does meanwhile."""

import threading
from collections.abc import Sequence

import pytest

from app.errors import NotReady, Overloaded
from app.gallery.audit import Entry
from app.gallery.decisions import DecisionLog


class Disk:
    """Takes entries, unless it is away."""

    def __init__(self) -> None:
        self.written: list[Entry] = []
        self.away = False
        self.tries = 0
        self.free = threading.Event()
        self.free.set()

    def write(self, entries: Sequence[Entry]) -> None:
        self.free.wait()
        self.tries += 1
        if self.away:
            raise NotReady("the database cannot answer now")
        self.written += entries


def entries(start: int, count: int) -> list[Entry]:
    return [{"number": number} for number in range(start, start + count)]


def lost(caplog: pytest.LogCaptureFixture) -> list[Entry]:
    """The decisions that are in the process's log instead."""
    return [record.facts["audit"] for record in caplog.records if hasattr(record, "facts")]


def closed_while_away(count: int, **options: int) -> Disk:
    """So many decisions were taken when a log closed that could write none; the disk that was away."""
    disk = Disk()
    disk.away = True
    log = DecisionLog(disk.write, retry_seconds=0.01, max_queue=5000, **options)
    log.add(entries(0, count))
    log.close()
    return disk


def test_closing_writes_all_that_was_taken_in_order() -> None:
    disk = Disk()
    log = DecisionLog(disk.write, max_queue=5000)
    for start in range(0, 3000, 3):
        log.add(entries(start, 3))
    log.close()
    assert disk.written == entries(0, 3000)


def test_a_full_queue_turns_decisions_down_and_takes_them_again_later() -> None:
    disk = Disk()
    disk.free.clear()
    log = DecisionLog(disk.write, max_queue=10)
    log.add(entries(0, 8))
    with pytest.raises(Overloaded):
        log.add(entries(8, 3))
    log.add(entries(8, 2))
    disk.free.set()
    log.close()
    assert disk.written == entries(0, 10)


def test_what_the_database_did_not_take_is_tried_again() -> None:
    disk = Disk()
    disk.away = True
    log = DecisionLog(disk.write, max_queue=10, retry_seconds=0.01)
    log.add(entries(0, 4))
    threading.Event().wait(0.1)
    disk.away = False
    log.add(entries(4, 2))
    log.close()
    assert disk.written == entries(0, 6)


def test_closing_tries_a_few_times_however_much_waits(caplog: pytest.LogCaptureFixture) -> None:
    disk = closed_while_away(2500, attempts_when_closing=3)
    assert lost(caplog) == entries(0, 2500)
    assert disk.tries <= 5


def test_what_cannot_be_written_at_the_end_is_in_the_process_log(caplog: pytest.LogCaptureFixture) -> None:
    closed_while_away(2, attempts_when_closing=2)
    assert lost(caplog) == entries(0, 2)
