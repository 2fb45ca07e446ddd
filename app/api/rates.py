"""How often a caller may ask. Counted in memory: each process allows the whole rate."""

import functools
import math
import time
from typing import TYPE_CHECKING

from app.errors import RateLimited
from app.keys.key import UNLIMITED

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import MovingWindowRateLimiter


class RateLimiter:
    """Admits a caller while each of its rates allows it, over windows that move with the clock."""

    def __init__(self, rates: str | None) -> None:
        """`rates` as in `20/second;1000/hour`, for callers without rates of their own; None: any number."""
        self._rates = rates

    def admit(self, caller: str, own_rates: str | None = None) -> None:
        """Raises RateLimited, which says how long to wait; what is refused is not counted."""
        text = own_rates or self._rates
        if text is None or text == UNLIMITED:
            return
        rates = _parsed(text)
        for rate in rates:
            if not self._windows.test(rate, caller):
                reset_at = self._windows.get_window_stats(rate, caller).reset_time
                raise RateLimited(
                    f"more than {rate} requests; try again later",
                    rate=str(rate),
                    retry_after_seconds=max(1, math.ceil(reset_at - time.time())),
                )
        for rate in rates:
            self._windows.hit(rate, caller)

    @functools.cached_property
    def _windows(self) -> "MovingWindowRateLimiter":
        # Slow to import, and only some need it.
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(MemoryStorage())


@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> "list[RateLimitItem]":
    from limits import parse_many

    return parse_many(text)
