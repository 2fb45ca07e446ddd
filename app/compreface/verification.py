"""POST /api/v1/verification/verify and /recognition/faces/{image_id}/verify: how similar are these faces?

The client decides, by its threshold of similarity. What is counted and put into the audit log is the decision that
sameface's own threshold would give.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.api.access import GalleryIn, gallery_of_key, needs
from app.api.body import read_fields
from app.api.openapi import EXAMPLE_IMAGE, body
from app.api.paths import FaceInPath
from app.api.routes import Service
from app.compreface.answers import Face, PluginsVersions, embedded_fields, versions
from app.compreface.errors import image_errors, unknown_face
from app.compreface.options import FaceOptions, ImageFile, SourceAndTarget
from app.compreface.similarity import SimilarityCurve
from app.domain import Candidate, EmbeddedFace
from app.errors import GalleryNotFound, NoFace, SeveralFaces
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter(prefix="/api/v1", tags=["CompreFace"])


class FaceMatch(Face):
    """A face of the target and how similar it is to the source."""

    similarity: float = Field(ge=0, le=1)


class VerifiedPair(BaseModel):
    """The one face of the source, and every face of the target."""

    source_image_face: Face
    face_matches: list[FaceMatch]
    plugins_versions: PluginsVersions | None = None


class VerifyAnswer(BaseModel):
    """A list of one, as CompreFace has it."""

    result: list[VerifiedPair]


class StoredFaceMatch(FaceMatch):
    """A face of the photograph and how similar it is to the stored one."""

    subject: str


class StoredVerifyAnswer(BaseModel):
    """The faces of the photograph, the largest first."""

    result: list[StoredFaceMatch]
    plugins_versions: PluginsVersions | None = None


@router.post(
    "/verification/verify",
    dependencies=[needs(Scope.VERIFY, gallery=GalleryIn.NOTHING)],
    response_model=VerifyAnswer,
    response_model_exclude_none=True,
    summary="CompreFace: verify faces from two given images",
    openapi_extra=body(SourceAndTarget, {"source_image": EXAMPLE_IMAGE, "target_image": EXAMPLE_IMAGE}),
    responses=image_errors("several_faces"),
)
async def verify(request: Request, options: Annotated[FaceOptions, Query()], service: Service) -> VerifyAnswer:
    images = await read_fields(request, SourceAndTarget)
    sources, targets = await asyncio.gather(
        _faces(service, images.source_image, options, "source_image"),
        _faces(service, images.target_image, options, "target_image"),
    )
    if len(sources) > 1:
        raise SeveralFaces(f"{len(sources)} faces were found", field="source_image", faces_found=len(sources))
    (source,) = sources
    curve, limit = SimilarityCurve.of(service.card), service.thresholds.verification()
    matches = []
    for target in targets:
        decided = service.verifier.pair(source, target, limit, target.took_ms)
        matches.append(FaceMatch(**embedded_fields(target, options), similarity=curve.at(decided.distance)))
    pair = VerifiedPair(
        source_image_face=Face(**embedded_fields(source, options)),
        face_matches=matches,
        plugins_versions=versions(service.card, options),
    )
    return VerifyAnswer(result=[pair])


@router.post(
    "/recognition/faces/{image_id}/verify",
    dependencies=[needs(Scope.VERIFY, gallery=GalleryIn.KEY)],
    response_model=StoredVerifyAnswer,
    response_model_exclude_none=True,
    summary="CompreFace: verify faces from a given image against a saved one",
    openapi_extra=body(ImageFile, {"file": EXAMPLE_IMAGE}),
    responses=image_errors("face_not_found"),
)
async def verify_stored(
    request: Request, image_id: FaceInPath, options: Annotated[FaceOptions, Query()], service: Service
) -> StoredVerifyAnswer:
    image = (await read_fields(request, ImageFile)).file
    gallery = gallery_of_key(request)
    faces = await _faces(service, image, options, "file")
    curve, limit = SimilarityCurve.of(service.card), service.thresholds.verification()
    found = []
    for face, stored in zip(faces, await _stored(service, gallery, image_id, faces), strict=True):
        service.verifier.subject(face, stored, gallery, limit, face.took_ms)
        similarity = {"similarity": curve.at(stored.distance), "subject": stored.subject_id}
        found.append(StoredFaceMatch(**embedded_fields(face, options), **similarity))
    return StoredVerifyAnswer(result=found, plugins_versions=versions(service.card, options))


async def _faces(service: FaceService, image: bytes, options: FaceOptions, field: str) -> Sequence[EmbeddedFace]:
    found = await service.embed(image, max_faces=options.limit, min_confidence=options.det_prob_threshold)
    if not found.faces:
        raise NoFace("no face was found in the image", field=field, faces_found=0)
    return found.faces


async def _stored(
    service: FaceService, gallery: str, image_id: str, faces: Sequence[EmbeddedFace]
) -> Sequence[Candidate]:
    try:
        return await service.searcher.distances_to(gallery, image_id, np.stack([face.embedding for face in faces]))
    except GalleryNotFound:
        raise unknown_face(image_id) from None
