"""/api/v1/recognition/faces: the examples of subjects. An `image_id` of CompreFace is our `face_id`."""

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from app.api.access import GalleryIn, gallery_of_key, needs
from app.api.body import read_fields
from app.api.openapi import EXAMPLE_IMAGE, body
from app.api.paths import FaceInPath
from app.api.routes import Service
from app.api.subjects import WebpResponse
from app.compreface.collection import put
from app.compreface.errors import error_responses, image_errors, missing_parameter, refusal, unknown_face
from app.compreface.options import DetectionOptions, ImageFile, SubjectName
from app.compreface.paging import Page, PageQuery, page_facts
from app.domain import CollectionFace, DuplicatePolicy, Enrolment, FaceChoice
from app.errors import FaceNotFound, GalleryNotFound, SubjectNotFound
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter(prefix="/api/v1/recognition/faces", tags=["CompreFace"])

_ACCESS = [needs(Scope.ENROLL, gallery=GalleryIn.KEY)]
_MAX_DELETED = 1000
_IMAGE_IDS = TypeAdapter(Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=_MAX_DELETED)])


class AddOptions(DetectionOptions):
    """Whose photograph it is."""

    subject: SubjectName | None = Field(None, description="the name of the subject; it is made if it is new")


class FacesQuery(PageQuery):
    """Whose examples."""

    subject: str | None = Field(None, max_length=128, description="the name of the subject; none: of all")


class SavedFace(BaseModel):
    """An example and whose it is."""

    image_id: str
    subject: str

    @classmethod
    def of(cls, face: CollectionFace) -> "SavedFace":
        return cls(image_id=face.face_id, subject=face.subject_id)


class FacesPage(Page):
    """Examples, the oldest first."""

    faces: list[SavedFace]


class Deleted(BaseModel):
    """How many there were."""

    deleted: int


@router.post(
    "",
    dependencies=_ACCESS,
    status_code=201,
    summary="CompreFace: add an example of a subject",
    description="The same photograph of the same subject is stored once.",
    openapi_extra=body(ImageFile, {"file": EXAMPLE_IMAGE}),
    responses=image_errors("several_faces", "low_quality"),
)
async def add_face(request: Request, options: Annotated[AddOptions, Query()], service: Service) -> SavedFace:
    if options.subject is None:
        raise missing_parameter("subject")
    image = (await read_fields(request, ImageFile)).file
    answer = await _enroll(service, gallery_of_key(request), options.subject, image, options.det_prob_threshold)
    return SavedFace(image_id=answer.subject.faces[0].face_id, subject=options.subject)


@router.get("", dependencies=_ACCESS, summary="CompreFace: list saved examples", responses=error_responses("not_ready"))
async def list_faces(request: Request, query: Annotated[FacesQuery, Query()], service: Service) -> FacesPage:
    gallery = gallery_of_key(request)
    try:
        found, total = await service.records.collection(
            gallery, query.subject or None, offset=query.offset, limit=query.size
        )
    except GalleryNotFound:  # a collection in which nothing has been put yet
        found, total = [], 0
    return FacesPage(faces=[SavedFace.of(face) for face in found], **page_facts(query, total))


@router.delete(
    "",
    dependencies=_ACCESS,
    summary="CompreFace: delete all examples of a subject",
    description="The subject goes with them. Without a subject, everything in the collection goes.",
    responses=error_responses("not_ready"),
)
async def delete_faces(
    request: Request,
    service: Service,
    subject: Annotated[str, Query(max_length=128, description="the name of the subject; none: of all")] = "",
) -> Deleted:
    gallery = gallery_of_key(request)
    try:
        if not subject:
            return Deleted(deleted=(await service.records.erase_subjects(gallery)).faces)
        return Deleted(deleted=(await service.records.erase_subject(gallery, subject)).faces)
    except (GalleryNotFound, SubjectNotFound):
        return Deleted(deleted=0)


@router.get(
    "/{image_id}/img",
    dependencies=_ACCESS,
    summary="CompreFace: download an example",
    description="The crop of the face as WebP, where the service keeps crops (`SAMEFACE_STORE_CROPS`).",
    response_class=WebpResponse,
    responses=error_responses("face_not_found", "crop_not_kept", "not_ready"),
)
async def download_face(request: Request, image_id: FaceInPath, service: Service) -> Response:
    try:
        return WebpResponse.of(await service.records.crop(gallery_of_key(request), image_id))
    except GalleryNotFound:
        raise unknown_face(image_id) from None


@router.delete(
    "/{image_id}",
    dependencies=_ACCESS,
    summary="CompreFace: delete an example of a subject",
    responses=error_responses("face_not_found", "not_ready"),
)
async def delete_face(request: Request, image_id: FaceInPath, service: Service) -> SavedFace:
    return await _delete(service, gallery_of_key(request), image_id)


@router.post(
    "/delete",
    dependencies=_ACCESS,
    summary="CompreFace: delete several examples",
    description=f"A list of up to {_MAX_DELETED} image_id; those that do not exist are passed over.",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}},
        }
    },
    responses=error_responses("not_ready"),
)
async def delete_several(request: Request, service: Service) -> list[SavedFace]:
    gallery = gallery_of_key(request)
    deleted = []
    for image_id in _image_ids(await request.body()):
        try:
            deleted.append(await _delete(service, gallery, image_id))
        except FaceNotFound:
            continue
    return deleted


async def _enroll(service: FaceService, gallery: str, subject: str, image: bytes, min_confidence: float) -> Enrolment:
    def enroll() -> Awaitable[Enrolment]:
        return service.enroll(
            subject,
            [image],
            gallery=gallery,
            choice=FaceChoice.ONLY,
            on_duplicate=DuplicatePolicy.ALLOW,
            min_confidence=min_confidence,
        )

    return await put(service, gallery, enroll)


async def _delete(service: FaceService, gallery: str, image_id: str) -> SavedFace:
    try:
        subject = await service.records.subject_of_face(gallery, image_id)
        await service.records.erase_face(gallery, image_id)
    except GalleryNotFound:
        raise unknown_face(image_id) from None
    return SavedFace(image_id=image_id, subject=subject)


def _image_ids(given: bytes) -> list[str]:
    try:
        return _IMAGE_IDS.validate_json(given)
    except ValidationError:
        raise refusal(26, f"the body must be a JSON list of up to {_MAX_DELETED} image ids") from None
