"""When a request is sent again, and how long that waits.

Every request may be repeated: those of a POST read only, except enrolments, which carry an Idempotency-Key, and
`POST /galleries`, which makes nothing twice.
"""

import random
from dataclasses import dataclass

# 502 is a proxy's word for a server that is starting or gone.
RETRIED_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    """Exponential backoff with full jitter; a Retry-After is waited for, and a jitter on top of it.

    `attempts` counts the first one. A server that asks for more than `max_retry_after_seconds` is taken at its word:
    its answer is raised.
    """

    attempts: int = 5
    base_seconds: float = 0.2
    max_seconds: float = 10.0
    max_retry_after_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}; the first one is an attempt too, so it must be at least 1")

    def wait_seconds(self, failures: int, retry_after_seconds: float | None = None) -> float | None:
        """How long to wait after so many failures; None: no more attempts."""
        if failures >= self.attempts:
            return None
        if retry_after_seconds is not None:
            if retry_after_seconds > self.max_retry_after_seconds:
                return None
            return retry_after_seconds + random.uniform(0, self.base_seconds)
        return random.uniform(0, min(self.max_seconds, self.base_seconds * 2**failures))
