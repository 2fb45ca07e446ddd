"""POST /verify, /identify, /gallery/enroll and GET /model: fields in, a use case, a shape out."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.api.access import GalleryIn, needs
from app.api.body import read_fields
from app.api.fields import EnrollFields, IdentifyFields, VerifyFields
from app.api.idempotency import IdempotencyKey, answered_once
from app.api.problems import MEDIA_TYPE, STATUS
from app.api.schemas import EnrollResponse, IdentifyResponse, Problem, VerifyResponse
from app.faces.card import ModelCard
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter()


def get_service(request: Request) -> FaceService:
    """The one service of this process, opened by the lifespan."""
    service: FaceService = request.app.state.service
    return service


Service = Annotated[FaceService, Depends(get_service)]


def _body(fields: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI of a body that may be a form with files or JSON with base64."""
    form = fields.model_json_schema()
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": _binary_as_base64(form)},
            },
        }
    }


def _binary_as_base64(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_binary_as_base64(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "binary":
        rest = {key: value for key, value in schema.items() if key != "format"}
        return rest | {"contentEncoding": "base64", "description": "base64, plain or as a data URI"}
    return {key: _binary_as_base64(value) for key, value in schema.items()}


def _problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of the problems that a route answers, by status."""
    caller = ("bad_request", "unauthenticated", "forbidden", "rate_limited")
    always = (*caller, "image_too_large", "unsupported_format", "overloaded", "deadline_exceeded")
    by_status: dict[int | str, list[str]] = {}
    for code in dict.fromkeys((*always, "unreadable_image", "not_ready", *codes)):
        by_status.setdefault(STATUS[code], []).append(code)
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {
        status: {"description": " or ".join(f"`{code}`" for code in named), "content": content}
        for status, named in by_status.items()
    }


@router.post(
    "/verify",
    dependencies=[needs(Scope.VERIFY, gallery=GalleryIn.NOTHING)],
    response_model=VerifyResponse,
    summary="Do two photographs show the same face?",
    openapi_extra=_body(VerifyFields),
    responses=_problems("no_face", "several_faces", "far_not_supported"),
)
async def verify(request: Request, service: Service) -> VerifyResponse:
    fields = await read_fields(request, VerifyFields)
    answer = await service.verify(
        fields.image1, fields.image2, threshold=fields.threshold, far=fields.far, choice=fields.choice
    )
    return VerifyResponse.of(answer, service.card)


@router.post(
    "/identify",
    dependencies=[needs(Scope.IDENTIFY, gallery=GalleryIn.BODY)],
    response_model=IdentifyResponse,
    summary="Whose faces are these?",
    openapi_extra=_body(IdentifyFields),
    responses=_problems("gallery_not_found", "far_not_supported"),
)
async def identify(request: Request, service: Service) -> IdentifyResponse:
    fields = await read_fields(request, IdentifyFields)
    answer = await service.identify(
        fields.image,
        gallery=fields.gallery,
        top_k=fields.top_k,
        max_faces=fields.max_faces,
        threshold=fields.threshold,
        fpir=fields.fpir,
        min_revision=fields.min_revision,
    )
    return IdentifyResponse.of(answer, service.card)


@router.post(
    "/gallery/enroll",
    dependencies=[needs(Scope.ENROLL, gallery=GalleryIn.BODY)],
    status_code=201,
    response_model=EnrollResponse,
    summary="Store photographs of a subject",
    openapi_extra=_body(EnrollFields),
    responses={
        **_problems("no_face", "several_faces", "low_quality", "duplicate_identity", "idempotency_conflict"),
        200: {"model": EnrollResponse, "description": "Every face was stored already"},
    },
)
async def enroll(request: Request, service: Service, idempotency_key: IdempotencyKey = None) -> Response:
    fields = await read_fields(request, EnrollFields)

    async def store() -> tuple[int, EnrollResponse]:
        answer = await service.enroll(
            fields.subject_id,
            fields.image,
            gallery=fields.gallery,
            name=fields.name,
            metadata=fields.metadata,
            expires_at=fields.expires_at,
            choice=fields.choice,
            on_duplicate=fields.duplicate_policy,
        )
        return 200 if all(face.existed for face in answer.subject.faces) else 201, EnrollResponse.of(answer)

    return await answered_once(request, service, idempotency_key, fields, store)


@router.get(
    "/model",
    dependencies=[needs(gallery=GalleryIn.NOTHING)],
    response_model=ModelCard,
    summary="The served model's card",
)
async def model(service: Service) -> ModelCard:
    return service.card
