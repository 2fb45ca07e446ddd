"""POST /verify, /identify, /gallery/enroll and GET /model: fields in, a use case, a shape out."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.api.access import GalleryIn, needs
from app.api.body import read_fields
from app.api.enrolment import EnrollResponse
from app.api.fields import EnrollFields, IdentifyFields, VerifyFields
from app.api.idempotency import IdempotencyKey, answered_once
from app.api.identification import IdentifyResponse
from app.api.openapi import EXAMPLE_IMAGE, body, image_problems, problems
from app.api.verification import VerifyResponse
from app.domain import Enrolment
from app.faces.card import ModelCard
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter()


async def get_service(request: Request) -> FaceService:
    """The one service of this process, opened by the lifespan; FastAPI takes a thread for what is no coroutine."""
    service: FaceService = request.app.state.service
    return service


Service = Annotated[FaceService, Depends(get_service)]


@router.post(
    "/verify",
    dependencies=[needs(Scope.VERIFY, gallery=GalleryIn.NOTHING)],
    response_model=VerifyResponse,
    summary="Do two photographs show the same face?",
    openapi_extra=body(VerifyFields, {"image1": EXAMPLE_IMAGE, "image2": EXAMPLE_IMAGE, "far": 0.001}),
    responses=image_problems("no_face", "several_faces", "far_not_supported"),
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
    openapi_extra=body(IdentifyFields, {"image": EXAMPLE_IMAGE, "gallery": "default", "max_faces": 0, "fpir": 0.01}),
    responses=image_problems("gallery_not_found", "far_not_supported"),
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
    openapi_extra=body(EnrollFields, {"subject_id": "emp-0042", "image": [EXAMPLE_IMAGE], "name": "A. Lee"}),
    responses={
        **image_problems(
            "no_face", "several_faces", "low_quality", "gallery_not_found", "duplicate_identity", "idempotency_conflict"
        ),
        200: {"model": EnrollResponse, "description": "Every face was stored already"},
    },
)
async def enroll(request: Request, service: Service, idempotency_key: IdempotencyKey = None) -> Response:
    fields = await read_fields(request, EnrollFields)

    store = partial(
        service.enroll,
        fields.subject_id,
        fields.image,
        gallery=fields.gallery,
        name=fields.name,
        metadata=fields.metadata,
        expires_at=fields.expires_at,
        choice=fields.choice,
        on_duplicate=fields.duplicate_policy,
    )

    def answer(enrolment: Enrolment) -> tuple[int, EnrollResponse]:
        existed = all(face.existed for face in enrolment.subject.faces)
        return 200 if existed else 201, EnrollResponse.of(enrolment)

    return await answered_once(request, service, idempotency_key, fields, store, answer)


@router.get(
    "/model",
    dependencies=[needs(gallery=GalleryIn.NOTHING)],
    response_model=ModelCard,
    summary="The served model's card",
    responses=problems(),
)
async def model(service: Service) -> ModelCard:
    return service.card
