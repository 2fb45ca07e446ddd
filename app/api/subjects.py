"""/gallery/subjects and /gallery/faces: who is enrolled, read, changed and erased."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app import domain
from app.api.access import GalleryIn, needs
from app.api.body import read_fields
from app.api.fields import GalleryName, SubjectChangeFields, SubjectId, SubjectVerifyFields
from app.api.openapi import EXAMPLE_IMAGE, body, body_problems, image_problems, problems
from app.api.paging import NextCursor, PageQuery, page
from app.api.paths import FaceInPath, SubjectInPath
from app.api.routes import Service
from app.api.verification import SubjectVerifyResponse
from app.domain import DEFAULT_GALLERY
from app.keys.key import Scope

router = APIRouter(prefix="/gallery", tags=["gallery"])


class GalleryQuery(BaseModel):
    """Which gallery; a parameter that is not known is an error, lest a misspelt one leads to the default gallery."""

    model_config = ConfigDict(extra="forbid")

    gallery: GalleryName = Field(DEFAULT_GALLERY, description="name of the gallery")


InGallery = Annotated[GalleryQuery, Query()]

_FACE_ID = "6f1e7c1c-3b0e-4b43-9c55-3d7b5d2f7c11"
_SUBJECT: dict[str, Any] = {
    "subject_id": "emp-0042",
    "gallery": "default",
    "name": "A. Lee",
    "metadata": {"floor": 3},
    "created_at": "2026-11-22T09:30:00Z",
    "updated_at": "2026-11-22T09:30:00Z",
    "expires_at": None,
    "faces": 2,
}


class WebpResponse(Response):
    """A picture of a person: no cache may keep it for longer than the database does."""

    media_type = "image/webp"

    @classmethod
    def of(cls, crop: domain.FaceCrop) -> Self:
        return cls(crop.webp, headers={"Cache-Control": "no-store"})


class SubjectsQuery(PageQuery):
    """Which subjects of which gallery."""

    gallery: GalleryName = DEFAULT_GALLERY
    prefix: SubjectId | None = Field(None, description="what the subject_id begins with")

    @property
    def of(self) -> str:
        return f"subjects\0{self.gallery}\0{self.prefix or ''}"


class Subject(BaseModel):
    """A person of a gallery; `faces` are those of the served model."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SUBJECT]})

    subject_id: str
    gallery: str
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    faces: int = Field(ge=0)

    @classmethod
    def of(cls, subject: domain.Subject) -> Self:
        return cls(**{name: getattr(subject, name) for name in Subject.model_fields})


class ChangedSubject(Subject):
    """A subject after its change."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SUBJECT, "indexed": True}]})

    indexed: bool = Field(description="whether identifications here show the change already; if not, they will shortly")


class SubjectPage(BaseModel):
    """Subjects by subject_id, in the order of its code points."""

    items: list[Subject]
    next_cursor: NextCursor


class GalleryFace(BaseModel):
    """A stored face, without its embedding."""

    face_id: str = Field(examples=[_FACE_ID])
    created_at: datetime
    crop_kept: bool = Field(description="whether `GET /gallery/faces/{face_id}/crop` has a picture of it")


class GalleryFaces(BaseModel):
    """A subject's faces, oldest first; they fit into one page."""

    items: list[GalleryFace]
    next_cursor: NextCursor = None


class ErasedFaces(BaseModel):
    """How many there were."""

    faces: int = Field(ge=0)


class Erased(BaseModel):
    """What went, and the revision from which no replica finds it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"erased": {"faces": 3}, "revision": 18_233}]})

    erased: ErasedFaces
    revision: int


_ACCESS = [needs(Scope.ENROLL, gallery=GalleryIn.PARAMETER)]
_SUBJECT_PROBLEMS = ("bad_request", "gallery_not_found", "subject_not_found", "not_ready")


@router.get(
    "/subjects",
    dependencies=_ACCESS,
    summary="Who is enrolled?",
    responses=problems("bad_request", "gallery_not_found", "not_ready"),
)
async def list_subjects(query: Annotated[SubjectsQuery, Query()], service: Service) -> SubjectPage:
    found = await service.records.subjects(
        query.gallery, prefix=query.prefix or "", limit=query.limit + 1, after=query.after(query.of)
    )
    items, next_cursor = page(found, query.limit, query.of, lambda subject: subject.subject_id)
    return SubjectPage(items=[Subject.of(subject) for subject in items], next_cursor=next_cursor)


@router.get(
    "/subjects/{subject_id}", dependencies=_ACCESS, summary="One subject", responses=problems(*_SUBJECT_PROBLEMS)
)
async def get_subject(subject_id: SubjectInPath, service: Service, query: InGallery) -> Subject:
    return Subject.of(await service.records.subject(query.gallery, subject_id))


@router.patch(
    "/subjects/{subject_id}",
    dependencies=_ACCESS,
    summary="Change the name, the metadata or the end of a subject",
    description="What is left out stays, null takes a name or an expires_at away, and metadata is replaced whole.",
    openapi_extra=body(SubjectChangeFields, {"name": "A. Lee-Smith", "metadata": {"floor": 4}}),
    responses=body_problems(*_SUBJECT_PROBLEMS),
)
async def change_subject(
    request: Request, subject_id: SubjectInPath, service: Service, query: InGallery
) -> ChangedSubject:
    fields = await read_fields(request, SubjectChangeFields)
    subject, indexed = await service.records.change_subject(query.gallery, subject_id, fields.changes)
    return ChangedSubject(**Subject.of(subject).model_dump(), indexed=indexed)


@router.delete(
    "/subjects/{subject_id}",
    dependencies=_ACCESS,
    summary="Erase a subject with all its faces",
    description="Answered after the subject can no longer be found on this replica.",
    responses=problems(*_SUBJECT_PROBLEMS),
)
async def delete_subject(subject_id: SubjectInPath, service: Service, query: InGallery) -> Erased:
    erased = await service.records.erase_subject(query.gallery, subject_id)
    return Erased(erased=ErasedFaces(faces=erased.faces), revision=erased.revision)


@router.post(
    "/subjects/{subject_id}/verify",
    dependencies=[needs(Scope.VERIFY, gallery=GalleryIn.PARAMETER)],
    summary="Is this the face of an enrolled subject?",
    description="The nearest of the subject's faces decides. A subject without a face is not found.",
    openapi_extra=body(SubjectVerifyFields, {"image": EXAMPLE_IMAGE, "far": 0.001}),
    responses=image_problems("no_face", "several_faces", "far_not_supported", "gallery_not_found", "subject_not_found"),
)
async def verify_subject(
    request: Request, subject_id: SubjectInPath, service: Service, query: InGallery
) -> SubjectVerifyResponse:
    fields = await read_fields(request, SubjectVerifyFields)
    answer = await service.verify_subject(
        fields.image,
        subject_id,
        gallery=query.gallery,
        threshold=fields.threshold,
        far=fields.far,
        choice=fields.choice,
    )
    return SubjectVerifyResponse.of(answer, service.card)


@router.get(
    "/subjects/{subject_id}/faces",
    dependencies=_ACCESS,
    summary="A subject's faces",
    responses=problems(*_SUBJECT_PROBLEMS),
)
async def list_faces(subject_id: SubjectInPath, service: Service, query: InGallery) -> GalleryFaces:
    found = await service.records.faces(query.gallery, subject_id)
    return GalleryFaces(
        items=[GalleryFace(face_id=f.face_id, created_at=f.created_at, crop_kept=f.crop_kept) for f in found]
    )


@router.get(
    "/faces/{face_id}/crop",
    dependencies=_ACCESS,
    summary="What a stored face looks like",
    description="The aligned crop, where the service keeps crops (`SAMEFACE_STORE_CROPS`): a small square picture.",
    response_class=WebpResponse,
    responses=problems("bad_request", "gallery_not_found", "face_not_found", "crop_not_kept", "not_ready"),
)
async def get_crop(face_id: FaceInPath, service: Service, query: InGallery) -> Response:
    return WebpResponse.of(await service.records.crop(query.gallery, face_id))


@router.delete(
    "/faces/{face_id}",
    dependencies=_ACCESS,
    summary="Erase one face",
    description="Answered after the face can no longer be found on this replica. The subject stays, faces or not.",
    responses=problems("bad_request", "gallery_not_found", "face_not_found", "not_ready"),
)
async def delete_face(face_id: FaceInPath, service: Service, query: InGallery) -> Erased:
    return Erased(erased=ErasedFaces(faces=1), revision=await service.records.erase_face(query.gallery, face_id))
