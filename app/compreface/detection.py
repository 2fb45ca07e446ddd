"""POST /api/v1/detection/detect: where are the faces?"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from app.api.access import GalleryIn, needs
from app.api.body import read_fields
from app.api.openapi import EXAMPLE_IMAGE, body
from app.api.routes import Service
from app.compreface.answers import Face, PluginsVersions, embedded_fields, face_fields, versions
from app.compreface.errors import image_errors
from app.compreface.options import FaceOptions, ImageFile
from app.errors import NoFace
from app.keys.key import Scope
from app.service import FaceService

router = APIRouter(prefix="/api/v1", tags=["CompreFace"])


class DetectAnswer(BaseModel):
    """The faces of the photograph, the largest first."""

    result: list[Face]
    plugins_versions: PluginsVersions | None = None


@router.post(
    "/detection/detect",
    dependencies=[needs(Scope.VERIFY, gallery=GalleryIn.NOTHING)],
    response_model=DetectAnswer,
    response_model_exclude_none=True,
    summary="CompreFace: detect faces in a given image",
    openapi_extra=body(ImageFile, {"file": EXAMPLE_IMAGE}),
    responses=image_errors(),
)
async def detect(request: Request, options: Annotated[FaceOptions, Query()], service: Service) -> DetectAnswer:
    image = (await read_fields(request, ImageFile)).file
    embed = "calculator" in options.plugins
    found = await (_embedded if embed else _detected)(service, image, options)
    if not found:
        raise NoFace("no face was found in the image", field="file", faces_found=0)
    return DetectAnswer(result=found, plugins_versions=versions(service.card, options, calculator=embed))


async def _detected(service: FaceService, image: bytes, options: FaceOptions) -> list[Face]:
    found = await service.detect(image, max_faces=options.limit, min_confidence=options.det_prob_threshold)
    return [Face(**face_fields(face, None, found.took_ms, options)) for face in found.faces]


async def _embedded(service: FaceService, image: bytes, options: FaceOptions) -> list[Face]:
    found = await service.embed(image, max_faces=options.limit, min_confidence=options.det_prob_threshold)
    return [Face(**embedded_fields(face, options)) for face in found.faces]
