"""POST /api/v1/recognition/recognize: whose faces are these? The client compares the similarity with its threshold."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.api.access import GalleryIn, gallery_of_key, needs
from app.api.body import read_fields
from app.api.openapi import EXAMPLE_IMAGE, body
from app.api.routes import Service
from app.compreface.answers import Face, PluginsVersions, embedded_fields, face_fields, versions
from app.compreface.errors import image_errors
from app.compreface.options import ImageFile, RecognitionOptions
from app.compreface.similarity import SimilarityCurve
from app.domain import Candidate
from app.errors import GalleryNotFound, NoFace
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter(prefix="/api/v1", tags=["CompreFace"])


class SubjectSimilarity(BaseModel):
    """A subject, and how similar its nearest face is."""

    subject: str
    similarity: float = Field(ge=0, le=1)

    @classmethod
    def of(cls, candidate: Candidate, curve: SimilarityCurve) -> "SubjectSimilarity":
        return cls(subject=candidate.subject_id, similarity=curve.at(candidate.distance))


class RecognizedFace(Face):
    """A face and the subjects that it resembles most, whatever their similarity."""

    subjects: list[SubjectSimilarity]


class RecognizeAnswer(BaseModel):
    """The faces of the photograph, the largest first."""

    result: list[RecognizedFace]
    plugins_versions: PluginsVersions | None = None


@router.post(
    "/recognition/recognize",
    dependencies=[needs(Scope.IDENTIFY, gallery=GalleryIn.KEY)],
    response_model=RecognizeAnswer,
    response_model_exclude_none=True,
    summary="CompreFace: recognize faces from a given image",
    openapi_extra=body(ImageFile, {"file": EXAMPLE_IMAGE}),
    responses=image_errors(),
)
async def recognize(
    request: Request, options: Annotated[RecognitionOptions, Query()], service: Service
) -> RecognizeAnswer:
    image = (await read_fields(request, ImageFile)).file
    found = await _recognize(service, image, gallery_of_key(request), options)
    if not found:
        raise NoFace("no face was found in the image", field="file", faces_found=0)
    return RecognizeAnswer(result=found, plugins_versions=versions(service.card, options))


async def _recognize(
    service: FaceService, image: bytes, gallery: str, options: RecognitionOptions
) -> list[RecognizedFace]:
    curve = SimilarityCurve.of(service.card)
    top_k = min(options.prediction_count, service.settings.max_top_k)
    most, sure = options.limit, options.det_prob_threshold
    try:
        answer = await service.identify(image, gallery=gallery, top_k=top_k, max_faces=most, min_confidence=sure)
    except GalleryNotFound:  # a collection in which nobody has been put yet
        strangers = await service.embed(image, max_faces=most, min_confidence=sure)
        return [RecognizedFace(**embedded_fields(face, options), subjects=[]) for face in strangers.faces]
    return [
        RecognizedFace(
            **face_fields(face.face, face.embedding, answer.took_ms, options),
            subjects=[SubjectSimilarity.of(candidate, curve) for candidate in face.nearest],
        )
        for face in answer.faces
    ]
