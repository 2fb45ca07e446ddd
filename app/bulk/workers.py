"""Several at once, in order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


async def for_each(items: Sequence[T], work: Callable[[T], Awaitable[None]], *, jobs: int) -> None:
    """Await `work` of each item, up to `jobs` at a time, begun in their order.

    The first exception cancels the others and is raised in an ExceptionGroup.
    """

    async def take(waiting: Iterator[T]) -> None:
        for item in waiting:
            await work(item)

    waiting = iter(items)  # shared: each worker takes the next one
    async with asyncio.TaskGroup() as group:
        for _ in range(min(jobs, len(items))):
            group.create_task(take(waiting))
