"""Start, write, kill, start again, compare; many times over one database."""

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gallery.crash.check import compare
from tests.gallery.crash.client import Client
from tests.gallery.crash.photographs import photographs
from tests.gallery.crash.server import KilledServer

CLIENTS = 4
MAX_ANSWERS_BEFORE_A_KILL = 40
WHILE_STARTING = 0.1  # share of the kills that do not wait until the service is up
ANSWER_SECONDS = 120.0


@dataclass
class Campaign:
    """What happened so far."""

    folder: Path
    seed: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._photographs = photographs()
        self.clients = [Client(number, self._photographs, self.seed * 1000 + number) for number in range(CLIENTS)]
        self._started = time.monotonic()

    def kill_once(self) -> None:
        """Start the service over what the last kill left, compare, write, and kill it."""
        with self._server() as server:
            if self._random.random() < WHILE_STARTING:
                time.sleep(self._random.uniform(0, 1))
                self.kills["starting"] += 1
                return
            server.wait_until_ready()
            self._compare(server)
            self._write_for_a_while(server)
            self.kills["serving"] += 1

    def finish(self) -> dict[str, Any]:
        """Compare once more, and sum up."""
        with self._server() as server:
            server.wait_until_ready()
            self._compare(server)
        answered: Counter[str] = sum((client.answered for client in self.clients), Counter())
        return {
            "kills": self.kills.total(),
            "killed_while": dict(self.kills),
            "clients": CLIENTS,
            "acknowledged": dict(answered),
            "unanswered_writes": dict(self.unanswered),
            "faults": self.faults,
            "seed": self.seed,
            "seconds": round(time.monotonic() - self._started, 1),
            "sqlite": sqlite3.sqlite_version,
        }

    @contextmanager
    def _server(self) -> Iterator[KilledServer]:
        server = KilledServer(self.folder, **self.settings)
        try:
            yield server
        finally:
            server.kill()

    def _compare(self, server: KilledServer) -> None:
        url = f"sqlite:///{self.folder / 'sameface.db'}"
        comparison = compare(server.url, url, self.clients, self._photographs)
        self.faults += comparison.faults
        self.unanswered.update("committed" if applied else "not committed" for applied in comparison.applied)

    def _write_for_a_while(self, server: KilledServer) -> None:
        acknowledged = threading.Semaphore(0)
        threads = [threading.Thread(target=client.run, args=(server.url, acknowledged)) for client in self.clients]
        for thread in threads:
            thread.start()
        for _ in range(self._random.randint(1, MAX_ANSWERS_BEFORE_A_KILL)):
            if not acknowledged.acquire(timeout=ANSWER_SECONDS):
                self.faults.append(f"no client was answered for {ANSWER_SECONDS:g} s")
                break
        time.sleep(self._random.uniform(0, 0.1))
        server.kill()
        for thread, client in zip(threads, self.clients, strict=True):
            thread.join()
            self.faults += client.faults
            client.faults.clear()
