"""/api/v1/recognition/subjects: whose faces are saved. The name of a CompreFace subject is our `subject_id`."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from app.api.access import GalleryIn, gallery_of_key, needs
from app.api.body import read_fields
from app.api.openapi import body
from app.api.paging import MAX_PAGE_ITEMS
from app.api.paths import SubjectInPath
from app.api.routes import Service
from app.compreface.collection import put
from app.compreface.errors import error_responses, refusal
from app.compreface.faces import Deleted
from app.compreface.options import SubjectName
from app.domain import EnrolledSubject
from app.errors import GalleryNotFound, SubjectNotFound
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter(prefix="/api/v1/recognition/subjects", tags=["CompreFace"])

_ACCESS = [needs(Scope.ENROLL, gallery=GalleryIn.KEY)]
_BODY_CODES = ("unsupported_format", "image_too_large", "not_ready")


class Subject(BaseModel):
    """The name of a subject."""

    model_config = ConfigDict(extra="ignore")  # the Python SDK sends the old name along

    subject: SubjectName


class Subjects(BaseModel):
    """The names of all subjects."""

    subjects: list[str]


class Updated(BaseModel):
    """Whether there was anything to change."""

    updated: bool


@router.post(
    "",
    dependencies=_ACCESS,
    status_code=201,
    summary="CompreFace: add a subject",
    openapi_extra=body(Subject, {"subject": "A. Lee"}),
    responses=error_responses(*_BODY_CODES),
)
async def add_subject(request: Request, service: Service) -> Subject:
    given = await read_fields(request, Subject)
    added = await _add(service, gallery_of_key(request), given.subject)
    if not added.created:
        raise refusal(43, "Subject already exists")
    return given


@router.get("", dependencies=_ACCESS, summary="CompreFace: list subjects", responses=error_responses("not_ready"))
@router.get("/", dependencies=_ACCESS, include_in_schema=False)
async def list_subjects(request: Request, service: Service) -> Subjects:
    gallery = gallery_of_key(request)
    names: list[str] = []
    try:
        while True:
            after = names[-1] if names else None
            page = await service.records.subjects(gallery, prefix="", limit=MAX_PAGE_ITEMS, after=after)
            names += [subject.subject_id for subject in page]
            if len(page) < MAX_PAGE_ITEMS:
                return Subjects(subjects=names)
    except GalleryNotFound:  # a collection in which nobody has been put yet
        return Subjects(subjects=[])


@router.put(
    "/{subject}",
    dependencies=_ACCESS,
    summary="CompreFace: rename a subject",
    description="Where there is a subject of the new name, the faces become its own.",
    openapi_extra=body(Subject, {"subject": "A. Lee-Smith"}),
    responses=error_responses("subject_not_found", *_BODY_CODES),
)
async def rename_subject(request: Request, subject: SubjectInPath, service: Service) -> Updated:
    given = await read_fields(request, Subject)
    if given.subject == subject:
        return Updated(updated=False)
    max_faces = service.settings.max_faces_per_subject
    try:
        await service.records.rename_subject(gallery_of_key(request), subject, given.subject, max_faces=max_faces)
    except GalleryNotFound:
        raise _no_subject(subject) from None
    return Updated(updated=True)


@router.delete(
    "/{subject}",
    dependencies=_ACCESS,
    summary="CompreFace: delete a subject with all its examples",
    responses=error_responses("subject_not_found", "not_ready"),
)
async def delete_subject(request: Request, subject: SubjectInPath, service: Service) -> Subject:
    try:
        await service.records.erase_subject(gallery_of_key(request), subject)
    except GalleryNotFound:
        raise _no_subject(subject) from None
    return Subject(subject=subject)


@router.delete(
    "",
    dependencies=_ACCESS,
    summary="CompreFace: delete all subjects with all their examples",
    responses=error_responses("not_ready"),
)
async def delete_subjects(request: Request, service: Service) -> Deleted:
    try:
        return Deleted(deleted=(await service.records.erase_subjects(gallery_of_key(request))).subjects)
    except GalleryNotFound:
        return Deleted(deleted=0)


async def _add(service: FaceService, gallery: str, subject: str) -> EnrolledSubject:
    return await put(service, gallery, lambda: service.records.in_database(service.store.add, gallery, subject, []))


def _no_subject(subject: str) -> SubjectNotFound:
    return SubjectNotFound("there is no such subject", subject_id=subject)
