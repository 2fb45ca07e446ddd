"""What surrounds every request: its id, its line in the log, and an answer whatever happens."""

import logging
import re
import time
import uuid
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs
from app.api.problems import problem

if TYPE_CHECKING:
    from app.metrics import Metrics
    from app.service import FaceService

logger = logging.getLogger(__name__)

_CLIENT_GONE = 499  # of log and metrics: the caller went away before its request was whole (nginx's number)
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestContext:
    """Outermost middleware.

    A caller's X-Request-ID is kept where it is harmless to log, else a new id is made; the answer carries it. An
    exception that nothing else has turned into an answer becomes a 500 problem, and its traceback goes to the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        logs.key_id.set(None)
        logs.problem_code.set(None)
        token = logs.request_id.set(request_id)
        try:
            await self._answer(scope, receive, send, request_id)
        finally:
            logs.request_id.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        status = 0
        metrics = _metrics(scope)
        if metrics is not None:
            metrics.began()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.setdefault("Cache-Control", "no-store")  # answers are about people; pages say otherwise
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = status or _CLIENT_GONE
        except Exception:
            logger.exception("a request failed unexpectedly")
            if not status:
                await _internal()(scope, receive, send_with_id)
        finally:
            took_seconds = time.perf_counter() - started
            _log(scope, status, took_seconds)
            if metrics is not None:
                metrics.answered(scope["method"], _route(scope), status, took_seconds, logs.problem_code.get())


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex


def _internal() -> ASGIApp:
    return problem(500, "internal", "the service failed to answer; its log has the reason under this request_id")


def _metrics(scope: Scope) -> "Metrics | None":
    """None before the service is open."""
    service: FaceService | None = getattr(scope["app"].state, "service", None) if "app" in scope else None
    return service.metrics if service else None


def _route(scope: Scope) -> str | None:
    # The route's template and not the path, which may hold a subject's id.
    return getattr(scope.get("route"), "path", None)


def _log(scope: Scope, status: int, took_seconds: float) -> None:
    facts = {
        "method": scope["method"],
        "route": _route(scope),
        "status": status or None,
        "took_ms": round(took_seconds * 1000, 1),
    }
    if code := logs.problem_code.get():
        facts["code"] = code
    # Proxies ask for health every second and are answered the same; what is wrong is worth a line.
    expected = status == 200 and str(facts["route"]).startswith("/health/")
    logger.log(logging.DEBUG if expected else logging.INFO, "request", extra={"facts": facts})
