"""Progress bars on standard error."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import TextColumn

_SHOW_SECONDS = 0.1


@contextmanager
def counted(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar with how many, how fast and how long still; yields what to call for each one that is done."""
    with _bar(what, total) as advance:
        yield lambda: advance(1)


@contextmanager
def with_rejects(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """The same with the number of rejects; yields what to call with how many more are done and all rejects so far."""
    from rich.progress import TextColumn

    with _bar(what, total, TextColumn("{task.fields[rejected]} rejected"), rejected=0) as advance:
        yield lambda more, rejected: advance(more, rejected=rejected)


def follow(what: str, total: int, steps: Iterable[int]) -> None:
    """Take the steps, each of which says how many it has done, to the last one."""
    with _bar(what, total) as advance:
        for done in steps:
            advance(done)


@contextmanager
def _bar(what: str, total: int | None, *more: "TextColumn", **fields: Any) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        *more,
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task(what, total=total, rate="", **fields)

        waiting, shown_at = 0, time.monotonic()

        def advance(done: int, **changed: Any) -> None:
            nonlocal waiting, shown_at
            waiting += done
            if not changed and time.monotonic() - shown_at < _SHOW_SECONDS:
                return  # lines come by the ten thousand a second, and a bar is slower than that
            progress.update(task, advance=waiting, **changed)
            speed = progress.tasks[0].speed
            progress.update(task, rate="" if speed is None else f"{speed:.1f} a second")
            waiting, shown_at = 0, time.monotonic()

        yield advance
        progress.advance(task, waiting)
