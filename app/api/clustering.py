"""POST /cluster, and /cluster/jobs for many photographs: which faces are of one person?"""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app import domain
from app.api.access import GalleryIn, needs
from app.api.answer_examples import FACE, MODEL
from app.api.body import read_fields
from app.api.fields import ClusterFields
from app.api.openapi import EXAMPLE_IMAGE, body, image_problems, problems
from app.api.problems import document_of
from app.api.routes import Service
from app.api.schemas import Face, Model, Problem, face_fields, rounded
from app.cluster_jobs import ClusterJob, JobStatus
from app.domain import ClusterMethod
from app.errors import SamefaceError
from app.faces.card import ModelCard
from app.keys.key import ApiKey, Scope

router = APIRouter(tags=["faces"])

_JOB_ID = "4f1c7d0f0c0b4c6e9f0e6a5b8d2f7c11"


class ClusteredFace(Face):
    """A face and the photograph that shows it."""

    image: int = Field(description="position in the request, from 0")

    @classmethod
    def of_clustered(cls, clustered: domain.ClusteredFace) -> Self:
        return cls(**face_fields(clustered.face), image=clustered.image)


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


class Job(BaseModel):
    """Groups in the making; `result` is there once it is `done`, `problem` once it has `failed`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "job_id": _JOB_ID,
                    "status": "running",
                    "images": 80,
                    "images_read": 31,
                    "created_at": "2026-11-22T09:30:00Z",
                    "expires_at": None,
                    "result": None,
                    "problem": None,
                }
            ]
        }
    )

    job_id: str
    status: JobStatus
    images: int = Field(description="photographs of the request")
    images_read: int = Field(description="those that have been looked at")
    created_at: datetime
    expires_at: datetime | None = Field(description="until when a job that has ended is kept; null before that")
    result: ClusterResponse | None
    problem: Problem | None = Field(description="what the request would have been answered")

    @classmethod
    def of(cls, job: ClusterJob, card: ModelCard) -> Self:
        return cls(
            job_id=job.job_id,
            status=job.status,
            images=job.images,
            images_read=job.images_read,
            created_at=job.created_at,
            expires_at=job.expires_at,
            result=None if job.result is None else ClusterResponse.of(job.result, card),
            problem=None if job.error is None else _problem(job, job.error),
        )


def _problem(job: ClusterJob, error: SamefaceError) -> Problem:
    """Under the id of the request that the job was made for, which its lines in the log have."""
    return Problem.model_validate(document_of(error) | {"request_id": job.request_id})


JobInPath = Annotated[
    str, Path(max_length=64, description="as the answer to POST /cluster named it", examples=[_JOB_ID])
]

_ACCESS = [needs(Scope.VERIFY, gallery=GalleryIn.NOTHING)]


@router.post(
    "/cluster",
    dependencies=_ACCESS,
    response_model=ClusterResponse,
    summary="Which faces are of one person?",
    description="Groups the faces of many photographs. A photograph that cannot be read is reported, not refused. "
    "Many photographs at once are a job: 202, and `Location` says where to ask for it.",
    openapi_extra=body(ClusterFields, {"image": [EXAMPLE_IMAGE, EXAMPLE_IMAGE], "far": 0.001}),
    responses={
        202: {
            "model": Job,
            "description": "A job, because of its many photographs",
            "headers": {"Location": {"description": "path of the job", "schema": {"type": "string"}}},
        },
        **image_problems("low_quality", "far_not_supported"),
    },
)
async def cluster(request: Request, service: Service) -> ClusterResponse | Response:
    fields = await read_fields(request, ClusterFields)
    options: dict[str, Any] = {
        "method": ClusterMethod(fields.method),
        "max_faces": fields.max_faces,
        "threshold": fields.threshold,
        "far": fields.far,
    }
    if len(fields.image) <= service.settings.max_cluster_images_at_once:
        return ClusterResponse.of(await service.cluster(fields.image, **options), service.card)
    job = service.start_cluster_job(fields.image, owner=_owner(request), **options)
    answer = Job.of(job, service.card).model_dump_json()
    return Response(answer, 202, {"Location": f"/cluster/jobs/{job.job_id}"}, "application/json")


@router.get(
    "/cluster/jobs/{job_id}",
    dependencies=_ACCESS,
    summary="How far is a job, and what did it find?",
    description="A job is known to the key that it was started with, and to the process that it was sent to.",
    responses=problems("bad_request", "job_not_found"),
)
async def get_job(request: Request, job_id: JobInPath, service: Service) -> Job:
    return Job.of(service.cluster_jobs.find(job_id, _owner(request)), service.card)


@router.delete(
    "/cluster/jobs/{job_id}",
    dependencies=_ACCESS,
    status_code=204,
    summary="Forget a job, and end it if it has not",
    responses=problems("bad_request", "job_not_found"),
)
async def delete_job(request: Request, job_id: JobInPath, service: Service) -> None:
    service.cluster_jobs.delete(job_id, _owner(request))


def _owner(request: Request) -> str | None:
    key: ApiKey | None = request.state.key
    return None if key is None else key.key_id
