"""GET /metrics, for Prometheus."""

from fastapi import APIRouter, Request, Response

from app.api.access import GalleryIn, needs
from app.api.openapi import problems
from app.api.routes import Service
from app.keys.key import Scope

router = APIRouter()


@router.get(
    "/metrics",
    dependencies=[needs(Scope.METRICS, gallery=GalleryIn.NOTHING)],
    summary="Counters in the format of Prometheus",
    response_class=Response,
    responses={
        **problems(),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Counters"},
    },
)
def metrics(request: Request, service: Service) -> Response:
    from prometheus_client.exposition import choose_encoder  # slow to import, and seldom needed

    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(service.metrics.registry), media_type=content_type)
