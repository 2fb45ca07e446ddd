"""Whether the service can do its work now: the model, the index and the database, each looked at and not assumed."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.errors import NotReady
from app.service import FaceService

_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what is wrong where `ok` is false, and facts either way."""

    ok: bool
    detail: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Status(StrEnum):
    """Without the model nothing can be answered; without the database, identification and verification still can."""

    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not_ready"

    @classmethod
    def of(cls, checks: Mapping[str, Check]) -> "Status":
        if not checks["model"].ok:
            return cls.NOT_READY
        return cls.READY if all(check.ok for check in checks.values()) else cls.DEGRADED


async def check_service(service: FaceService) -> dict[str, Check]:
    """`model`, `search`, `index`, `database`, and `disk` where the database is a file."""
    model, database, disk = await asyncio.gather(_check_model(service), _check_database(service), _check_disk(service))
    checks = {"model": model, "search": _check_search(service), "index": _check_index(service), "database": database}
    return checks if disk is None else {**checks, "disk": disk}


async def _check_model(service: FaceService) -> Check:
    """The last batch tells; where it failed, the model is run now."""
    pipeline = service.pipeline
    facts = {"id": service.card.id, "provider": pipeline.provider, "waiting": pipeline.depth}
    if not pipeline.healthy:
        try:
            await pipeline.probe()
        except Exception as error:
            return Check(False, f"the embedding model fails: {type(error).__name__}", facts)
    return Check(True, facts=facts)


def _check_search(service: FaceService) -> Check:
    healthy = service.searcher.healthy
    return Check(healthy, None if healthy else "the last searches failed", {"waiting": service.searcher.depth})


def _check_index(service: FaceService) -> Check:
    lag = service.follower.lag
    limit = service.settings.max_index_lag_seconds
    seconds = lag.seconds_since_success
    away, rounded = service.searcher.index.away is not None, None if seconds is None else round(seconds, 1)
    index_facts = service.searcher.index.facts
    facts = {"revision": lag.applied_revision, "seconds_since_success": rounded, **index_facts}
    if away:  # why is in the log: anybody may ask here, and it names hosts
        return Check(False, "the gallery index is away; nobody can be identified until it is back", facts)
    if seconds is None or seconds > limit:
        return Check(False, f"not in step with the database within {limit:g} s; the log has the reason", facts)
    return Check(True, facts=facts)


async def _check_disk(service: FaceService) -> Check | None:
    """None where the database is not a file of this machine's."""
    file = service.settings.sqlite_file
    if file is None:
        return None
    least = service.settings.min_free_disk_bytes
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            free = (await asyncio.to_thread(shutil.disk_usage, file.parent)).free
    except (OSError, TimeoutError) as error:
        return Check(False, f"the disk of the database does not answer: {type(error).__name__}")
    facts = {"free_bytes": free, "min_free_disk_bytes": least}
    return Check(free >= least, None if free >= least else "the disk of the database is nearly full", facts)


async def _check_database(service: FaceService) -> Check:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return Check(True, facts={"revision": await service.revision()})
    except TimeoutError:
        return Check(False, f"the database did not answer within {_PATIENCE_SECONDS:g} s")
    except NotReady as error:
        return Check(False, error.message)
    except Exception as error:
        return Check(False, f"the database fails: {type(error).__name__}")
