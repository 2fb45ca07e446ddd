"""POST /detect and /embed: the building blocks of everything else, without a gallery."""

from typing import Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app import domain
from app.api.access import GalleryIn, needs
from app.api.answer_examples import FACE, MODEL
from app.api.body import read_fields
from app.api.fields import FacesFields
from app.api.openapi import EXAMPLE_IMAGE, body, image_problems
from app.api.routes import Service
from app.api.schemas import Face, Model, face_fields, rounded
from app.faces.card import ModelCard
from app.keys.key import Scope

router = APIRouter(tags=["faces"])


class ImageSize(BaseModel):
    """Of the upright photograph, in pixels."""

    width: int
    height: int


class DetectResponse(BaseModel):
    """The faces of a photograph, largest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"faces": [FACE], "faces_found": 1, "image": {"width": 640, "height": 480}, "took_ms": {"total": 12.1}}
            ]
        }
    )

    faces: list[Face]
    faces_found: int
    image: ImageSize
    took_ms: dict[str, float]

    @classmethod
    def of(cls, found: domain.Detection) -> Self:
        return cls(
            faces=[Face.of(face) for face in found.faces],
            faces_found=found.faces_found,
            image=ImageSize(width=found.width_px, height=found.height_px),
            took_ms=rounded(found.took_ms),
        )


class EmbeddedFace(Face):
    """A face and its embedding."""

    embedding: list[float] = Field(description="unit vector; only comparable with others of the same model")

    @classmethod
    def of_embedded(cls, embedded: domain.EmbeddedFace) -> Self:
        return cls(**face_fields(embedded.face), embedding=embedded.embedding.tolist())


class EmbedResponse(BaseModel):
    """The faces of a photograph with their embeddings, largest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "faces": [{**FACE, "embedding": [0.0712, -0.0318, 0.1145]}],
                    "faces_found": 1,
                    "model": MODEL,
                    "took_ms": {"total": 19.0},
                }
            ]
        }
    )

    faces: list[EmbeddedFace]
    faces_found: int
    model: Model
    took_ms: dict[str, float]

    @classmethod
    def of(cls, found: domain.EmbeddedFaces, card: ModelCard) -> Self:
        return cls(
            faces=[EmbeddedFace.of_embedded(face) for face in found.faces],
            faces_found=found.faces_found,
            model=Model.of(card),
            took_ms=rounded(found.took_ms),
        )


_ACCESS = [needs(Scope.VERIFY, gallery=GalleryIn.NOTHING)]


@router.post(
    "/detect",
    dependencies=_ACCESS,
    summary="Where are the faces?",
    openapi_extra=body(FacesFields, {"image": EXAMPLE_IMAGE}),
    responses=image_problems(),
)
async def detect(request: Request, service: Service) -> DetectResponse:
    fields = await read_fields(request, FacesFields)
    return DetectResponse.of(await service.detect(fields.image, max_faces=fields.max_faces))


@router.post(
    "/embed",
    dependencies=_ACCESS,
    summary="The embeddings of the faces",
    openapi_extra=body(FacesFields, {"image": EXAMPLE_IMAGE, "max_faces": 1}),
    responses=image_problems(),
)
async def embed(request: Request, service: Service) -> EmbedResponse:
    fields = await read_fields(request, FacesFields)
    return EmbedResponse.of(await service.embed(fields.image, max_faces=fields.max_faces), service.card)
