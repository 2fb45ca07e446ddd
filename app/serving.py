"""Serving HTTP, and stopping so that no request fails on the way.

A proxy learns that a replica is going away from its readiness, some time after the replica knew. So on SIGTERM the
replica first drains: it says 503 on /health/ready, answers whatever still comes and closes each connection after its
answer. Only then does it take no more connections, when nobody makes any: one that waits in the kernel's queue while
the listener closes is reset.
"""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.connections import bounded_headers
from app.settings import Settings

logger = logging.getLogger(__name__)

_CANNOT_START = 3
_TICK_SECONDS = 0.1


def run(app: FastAPI) -> None:
    """Serve the application under its settings until told to stop; exit status 3 where it cannot start."""
    settings: Settings = app.state.settings
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_headers(settings.header_timeout_seconds, settings.max_header_bytes),
        log_config=None,  # its lines go through ours
        access_log=False,  # app.api.context logs each request with its id
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
    )
    server = DrainingServer(config, app, drain_seconds=settings.drain_seconds)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_CANNOT_START)


class DrainingServer(uvicorn.Server):
    """uvicorn, with `drain_seconds` between SIGTERM and the closing of its listener. Any further signal ends them."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._drains = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._drains = sig == signal.SIGTERM and not self.should_exit
        super().handle_exit(sig, frame)

    async def main_loop(self) -> None:
        await super().main_loop()
        if self._drains and self._drain_seconds > 0:
            await self._drain()

    async def _drain(self) -> None:
        logger.info("draining", extra={"facts": {"drain_seconds": self._drain_seconds}})
        self._app.state.draining = True
        # The headers that begin every answer; uvicorn ends a connection whose answer says that it closes.
        self.config.encoded_headers.append((b"connection", b"close"))
        ends, ticks = time.monotonic() + self._drain_seconds, 0
        while self._drains and time.monotonic() < ends:
            await self.on_tick(ticks)  # keeps the Date header right, and puts the new headers to use
            ticks += 1
            await asyncio.sleep(_TICK_SECONDS)
