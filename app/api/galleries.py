"""GET POST /galleries, GET DELETE /galleries/{gallery}: several galleries side by side."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app import domain
from app.api.access import GalleryIn, needs
from app.api.body import read_fields
from app.api.fields import GalleryFields
from app.api.openapi import body, body_problems, problems
from app.api.paging import NextCursor, PageQuery, page
from app.api.paths import GalleryInPath
from app.api.routes import Service
from app.keys.key import Scope

router = APIRouter(prefix="/galleries", tags=["galleries"])

_GALLERY: dict[str, Any] = {"name": "staff", "created_at": "2026-11-22T09:30:00Z", "subjects": 2, "faces": 5}


class Gallery(BaseModel):
    """A gallery as the database knows it; `faces` are those of the served model."""

    model_config = ConfigDict(json_schema_extra={"examples": [_GALLERY]})

    name: str
    created_at: datetime
    subjects: int = Field(ge=0)
    faces: int = Field(ge=0)

    @classmethod
    def of(cls, gallery: domain.Gallery) -> Self:
        return cls(name=gallery.name, created_at=gallery.created_at, subjects=gallery.subjects, faces=gallery.faces)


class GalleryPage(BaseModel):
    """Galleries by name."""

    items: list[Gallery]
    next_cursor: NextCursor


class ErasedFromGallery(BaseModel):
    """How much there was."""

    subjects: int = Field(ge=0)
    faces: int = Field(ge=0)


class ErasedGallery(BaseModel):
    """What went with the gallery, and the revision from which no replica knows it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"erased": {"subjects": 2, "faces": 5}, "revision": 18_240}]}
    )

    erased: ErasedFromGallery
    revision: int


@router.get(
    "",
    dependencies=[needs(Scope.ENROLL, gallery=GalleryIn.ANY)],
    summary="All galleries",
    responses=problems("bad_request", "not_ready"),
)
async def list_galleries(query: Annotated[PageQuery, Query()], service: Service) -> GalleryPage:
    found = await service.records.galleries(limit=query.limit + 1, after=query.after("galleries"))
    items, next_cursor = page(found, query.limit, "galleries", lambda gallery: gallery.name)
    return GalleryPage(items=[Gallery.of(gallery) for gallery in items], next_cursor=next_cursor)


@router.post(
    "",
    dependencies=[needs(Scope.ADMIN, gallery=GalleryIn.ANY)],
    status_code=201,
    summary="Make a gallery, unless it exists",
    openapi_extra=body(GalleryFields, {"name": "staff"}),
    responses={**body_problems("not_ready"), 200: {"model": Gallery, "description": "It existed already"}},
)
async def create_gallery(request: Request, response: Response, service: Service) -> Gallery:
    fields = await read_fields(request, GalleryFields)
    gallery, created = await service.records.create_gallery(fields.name)
    if not created:
        response.status_code = 200
    return Gallery.of(gallery)


@router.get(
    "/{gallery}",
    dependencies=[needs(Scope.ENROLL, gallery=GalleryIn.PARAMETER)],
    summary="One gallery",
    responses=problems("bad_request", "gallery_not_found", "not_ready"),
)
async def get_gallery(gallery: GalleryInPath, service: Service) -> Gallery:
    return Gallery.of(await service.records.gallery(gallery))


@router.delete(
    "/{gallery}",
    dependencies=[needs(Scope.ADMIN, gallery=GalleryIn.PARAMETER)],
    summary="Erase a gallery with all its subjects and faces",
    description="Answered after nothing of the gallery can be found on this replica.",
    responses=problems("bad_request", "gallery_not_found", "not_ready"),
)
async def delete_gallery(gallery: GalleryInPath, service: Service) -> ErasedGallery:
    erased = await service.records.drop_gallery(gallery)
    return ErasedGallery(
        erased=ErasedFromGallery(subjects=erased.subjects, faces=erased.faces), revision=erased.revision
    )
