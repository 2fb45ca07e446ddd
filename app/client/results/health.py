"""How the service is doing."""

from typing import Any

from app.client.results.result import Result


class Liveness(Result):
    """The process answers."""

    status: str


class Check(Result):
    """One finding of a readiness check."""

    ok: bool
    detail: str | None
    facts: dict[str, Any]


class Readiness(Result):
    """`status` is `ready`, `degraded` or `not_ready`."""

    status: str
    checks: dict[str, Check]

    def __bool__(self) -> bool:
        return self.status != "not_ready"
