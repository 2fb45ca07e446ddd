"""GET /health/live and /health/ready: is the process there, and should it be sent requests."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.api.access import public
from app.api.routes import Service
from app.health import Check, Status, check_service

router = APIRouter(prefix="/health")


class Live(BaseModel):
    """The process answers."""

    status: str = "alive"


class Ready(BaseModel):
    """`ready`; `degraded` where requests are answered but something needs attention; or `not_ready`."""

    status: Status
    checks: dict[str, Check] = Field(
        description="of `model`, `search`, `index`, `database`, and the `disk` of a file; while stopping, of `serving`"
    )


@router.get("/live", dependencies=[public()], response_model=Live, summary="Is the process alive?")
async def live() -> Live:
    return Live()


@router.get(
    "/ready",
    dependencies=[public()],
    response_model=Ready,
    summary="Should requests be sent here?",
    responses={503: {"model": Ready, "description": "Requests would fail"}},
)
async def ready(request: Request, response: Response, service: Service) -> Ready:
    if request.app.state.draining:
        response.status_code = 503
        stopping = Check(False, "the service is stopping; what still comes is answered")
        return Ready(status=Status.NOT_READY, checks={"serving": stopping})
    checks = await check_service(service)
    status = Status.of(checks)
    if status is Status.NOT_READY:
        response.status_code = 503
    return Ready(status=status, checks=checks)
