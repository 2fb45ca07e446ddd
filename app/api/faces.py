"""POST /detect, /embed and /cluster: the building blocks of everything else, without a gallery."""

from typing import Any, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app import domain
from app.api.access import GalleryIn, needs
from app.api.answer_examples import FACE, MODEL
from app.api.body import read_fields
from app.api.fields import ClusterFields, FacesFields
from app.api.openapi import EXAMPLE_IMAGE, body, image_problems
from app.api.routes import Service
from app.api.schemas import Face, Model, rounded
from app.domain import ClusterMethod
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
        return cls(**dict(Face.of(embedded.face)), embedding=embedded.embedding.tolist())


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


class ClusteredFace(Face):
    """A face and the photograph that shows it."""

    image: int = Field(description="position in the request, from 0")

    @classmethod
    def of_clustered(cls, clustered: domain.ClusteredFace) -> Self:
        return cls(**dict(Face.of(clustered.face)), image=clustered.image)


class ClusteredImage(BaseModel):
    """What became of a photograph; `reasons` are error codes, `measured` the facts behind them."""

    image: int = Field(description="position in the request, from 0")
    status: str = Field(json_schema_extra={"enum": ["read", "rejected"]})
    faces: int
    reasons: list[str]
    detail: str | None
    measured: dict[str, Any]

    @classmethod
    def of(cls, row: domain.ClusteredImage) -> Self:
        return cls(
            image=row.image,
            status=row.status,
            faces=row.faces,
            reasons=list(row.reasons),
            detail=row.detail,
            measured=dict(row.measured),
        )


class Group(BaseModel):
    """Faces of one person."""

    group: int = Field(description="from 0; the largest group first")
    faces: list[ClusteredFace]


class ClusterResponse(BaseModel):
    """Who is the same person; somebody who is seen once is a group of one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "groups": [{"group": 0, "faces": [{**FACE, "image": 0}, {**FACE, "image": 2}]}],
                    "images": [
                        {"image": 0, "status": "read", "faces": 1, "reasons": [], "detail": None, "measured": {}},
                        {"image": 1, "status": "read", "faces": 0, "reasons": [], "detail": None, "measured": {}},
                        {"image": 2, "status": "read", "faces": 1, "reasons": [], "detail": None, "measured": {}},
                    ],
                    "threshold": 1.1,
                    "far": 0.001,
                    "method": "agglomerative",
                    "model": MODEL,
                    "took_ms": {"total": 61.4},
                }
            ]
        }
    )

    groups: list[Group]
    images: list[ClusteredImage] = Field(description="one row per image of the request, in order")
    threshold: float
    far: float | None = Field(description="false-accept rate at the threshold; null where the calibration has none")
    method: ClusterMethod
    model: Model
    took_ms: dict[str, float]

    @classmethod
    def of(cls, answer: domain.Clustering, card: ModelCard) -> Self:
        groups = [[ClusteredFace.of_clustered(face) for face in group] for group in answer.groups]
        return cls(
            groups=[Group(group=number, faces=faces) for number, faces in enumerate(groups)],
            images=[ClusteredImage.of(row) for row in answer.images],
            threshold=answer.threshold,
            far=answer.far,
            method=answer.method,
            model=Model.of(card),
            took_ms=rounded(answer.took_ms),
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


@router.post(
    "/cluster",
    dependencies=_ACCESS,
    summary="Which faces are of one person?",
    description="Groups the faces of many photographs. A photograph that cannot be read is reported, not refused.",
    openapi_extra=body(ClusterFields, {"image": [EXAMPLE_IMAGE, EXAMPLE_IMAGE], "far": 0.001}),
    responses=image_problems("low_quality", "far_not_supported"),
)
async def cluster(request: Request, service: Service) -> ClusterResponse:
    fields = await read_fields(request, ClusterFields)
    answer = await service.cluster(
        fields.image,
        method=ClusterMethod(fields.method),
        max_faces=fields.max_faces,
        threshold=fields.threshold,
        far=fields.far,
    )
    return ClusterResponse.of(answer, service.card)
