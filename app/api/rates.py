"""How often a caller may ask. Counted in memory: each process allows the whole rate."""

import math
import time

from app.errors import RateLimited


class RateLimiter:
    """Admits a caller while each of `rates` allows it, over windows that move with the clock."""

    def __init__(self, rates: str) -> None:
        """`rates` as in `20/second;1000/hour`."""
        # Slow to import, and only some need it.
        from limits import parse_many
        from limits.storage import MemoryStorage
        from limits.strategies import MovingWindowRateLimiter

        self._rates = parse_many(rates)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def admit(self, caller: str) -> None:
        """Raises RateLimited, which says how long to wait; what is refused is not counted."""
        for rate in self._rates:
            if not self._limiter.test(rate, caller):
                reset_at = self._limiter.get_window_stats(rate, caller).reset_time
                raise RateLimited(
                    f"more than {rate} requests; try again later",
                    rate=str(rate),
                    retry_after_seconds=max(1, math.ceil(reset_at - time.time())),
                )
        for rate in self._rates:
            self._limiter.hit(rate, caller)
