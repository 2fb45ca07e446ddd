"""Every endpoint once, as a request and how its answer is read; who sends it, and how often, is not said here."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Literal
from urllib.parse import quote

from app.client import results
from app.client.call import Call, plain
from app.client.images import Image, read_image, read_images
from app.errors import BadRequest


class _Left(Enum):
    AS_IT_IS = "as it is"


LEFT = _Left.AS_IT_IS


def verify(
    image1: Image,
    image2: Image,
    *,
    threshold: float | None = None,
    far: float | None = None,
    face: Literal["largest", "only"] = "largest",
) -> Call[results.Verification]:
    """Do two photographs show the same face? At most one of `threshold` (squared L2) and `far`.

    Raises NoFace, SeveralFaces (with `face="only"`), FarNotSupported and the errors of photographs.
    """
    fields = {"threshold": threshold, "far": far, "face": face}
    images = [("image1", read_image(image1)), ("image2", read_image(image2))]
    return Call("POST", "/verify", results.Verification.model_validate_json, fields=fields, images=images)


def verify_subject(
    image: Image,
    subject_id: str,
    *,
    gallery: str = "default",
    threshold: float | None = None,
    far: float | None = None,
    face: Literal["largest", "only"] = "largest",
) -> Call[results.SubjectVerification]:
    """Is this the face of an enrolled subject? Raises what `verify` raises, GalleryNotFound and SubjectNotFound."""
    return Call(
        "POST",
        f"/gallery/subjects/{_segment(subject_id)}/verify",
        results.SubjectVerification.model_validate_json,
        query={"gallery": gallery},
        fields={"threshold": threshold, "far": far, "face": face},
        images=[("image", read_image(image))],
    )


def identify(
    image: Image,
    *,
    gallery: str = "default",
    top_k: int = 5,
    max_faces: int = 1,
    threshold: float | None = None,
    fpir: float | None = None,
    min_revision: int | None = None,
) -> Call[results.Identification]:
    """Whose faces are these? Up to `top_k` subjects each for up to `max_faces` faces (0: all), largest first.

    At most one of `threshold` (squared L2) and `fpir`. `min_revision`: answer from this revision or a later one. No
    face is an answer, not an error.
    """
    fields = {
        "gallery": gallery,
        "top_k": top_k,
        "max_faces": max_faces,
        "threshold": threshold,
        "fpir": fpir,
        "min_revision": min_revision,
    }
    images = [("image", read_image(image))]
    return Call("POST", "/identify", results.Identification.model_validate_json, fields=fields, images=images)


def enroll(
    subject_id: str,
    images: Image | Sequence[Image],
    *,
    gallery: str = "default",
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    expires_at: datetime | None = None,
    on_several_faces: Literal["reject", "largest"] = "reject",
    on_duplicate: Literal["report", "reject", "allow"] = "report",
    idempotency_key: str | None = None,
) -> Call[results.Enrolment]:
    """Store photographs of a subject, 1 to 10 at a time; it is durable when this returns.

    Every call has an Idempotency-Key, a new one unless it is given, so that repetitions are harmless. Photographs that
    cannot be used are reported; an error is raised where none can, or where DuplicateIdentity was asked for.
    """
    return Call(
        "POST",
        "/gallery/enroll",
        results.Enrolment.model_validate_json,
        fields={
            "subject_id": subject_id,
            "gallery": gallery,
            "name": name,
            "metadata": metadata,
            "expires_at": expires_at,
            "on_several_faces": on_several_faces,
            "on_duplicate": on_duplicate,
        },
        images=[("image", image) for image in read_images(images)],
        headers={"Idempotency-Key": idempotency_key or uuid.uuid4().hex},
    )


def detect(image: Image, *, max_faces: int = 0) -> Call[results.Detection]:
    """Where are the faces? Up to `max_faces` (0: all), largest first."""
    return Call(
        "POST",
        "/detect",
        results.Detection.model_validate_json,
        fields={"max_faces": max_faces},
        images=[("image", read_image(image))],
    )


def embed(image: Image, *, max_faces: int = 0) -> Call[results.Embeddings]:
    """The faces with their embeddings."""
    return Call(
        "POST",
        "/embed",
        results.Embeddings.model_validate_json,
        fields={"max_faces": max_faces},
        images=[("image", read_image(image))],
    )


def cluster(
    images: Image | Sequence[Image],
    *,
    method: Literal["agglomerative", "dbscan"] = "agglomerative",
    max_faces: int = 0,
    threshold: float | None = None,
    far: float | None = None,
) -> Call[results.Clustering | results.ClusterJob]:
    """Which faces are of one person? At most one of `threshold` (squared L2) and `far`.

    The service makes a job of many photographs; this waits for its end.
    """
    return Call(
        "POST",
        "/cluster",
        _read_clustering,
        fields={"method": method, "max_faces": max_faces, "threshold": threshold, "far": far},
        images=[("image", image) for image in read_images(images)],
        answers=frozenset({200, 202}),
    )


def cluster_job(job_id: str) -> Call[results.ClusterJob]:
    """How far a job is; raises JobNotFound."""
    return Call("GET", f"/cluster/jobs/{_segment(job_id)}", results.ClusterJob.model_validate_json)


def delete_cluster_job(job_id: str) -> Call[None]:
    """Forget a job, and end it if it has not; raises JobNotFound."""
    return Call("DELETE", f"/cluster/jobs/{_segment(job_id)}", lambda _: None, answers=frozenset({204}))


def gallery_page(*, limit: int = 100, cursor: str | None = None) -> Call[results.GalleryPage]:
    """One page of all galleries, by name."""
    query = {"limit": limit, "cursor": cursor}
    return Call("GET", "/galleries", results.GalleryPage.model_validate_json, query=query)


def create_gallery(name: str) -> Call[results.Gallery]:
    """Make a gallery, unless it exists."""
    return Call("POST", "/galleries", results.Gallery.model_validate_json, fields={"name": name})


def gallery(name: str) -> Call[results.Gallery]:
    """One gallery; raises GalleryNotFound."""
    return Call("GET", f"/galleries/{_segment(name)}", results.Gallery.model_validate_json)


def delete_gallery(name: str) -> Call[results.Erasure]:
    """Erase a gallery with all its subjects and faces; raises GalleryNotFound."""
    return Call("DELETE", f"/galleries/{_segment(name)}", results.Erasure.model_validate_json)


def subject_page(
    *, gallery: str = "default", prefix: str | None = None, limit: int = 100, cursor: str | None = None
) -> Call[results.SubjectPage]:
    """One page of the subjects whose id begins with `prefix`, in the order of code points."""
    query = {"gallery": gallery, "prefix": prefix, "limit": limit, "cursor": cursor}
    return Call("GET", "/gallery/subjects", results.SubjectPage.model_validate_json, query=query)


def subject(subject_id: str, *, gallery: str = "default") -> Call[results.Subject]:
    """One subject; raises SubjectNotFound."""
    return Call("GET", _subject(subject_id), results.Subject.model_validate_json, query={"gallery": gallery})


def update_subject(
    subject_id: str,
    *,
    gallery: str = "default",
    name: str | _Left | None = LEFT,
    metadata: Mapping[str, Any] | _Left = LEFT,
    expires_at: datetime | _Left | None = LEFT,
) -> Call[results.Subject]:
    """Change what is given. None takes a name or an expires_at away; metadata is replaced whole."""
    given = {"name": name, "metadata": metadata, "expires_at": expires_at}
    fields = {key: plain(value) for key, value in given.items() if value is not LEFT}
    read = results.Subject.model_validate_json
    return Call("PATCH", _subject(subject_id), read, query={"gallery": gallery}, fields=fields)


def delete_subject(subject_id: str, *, gallery: str = "default") -> Call[results.Erasure]:
    """Erase a subject with all its faces.

    Raises SubjectNotFound, also where the first attempt did it and its answer was lost.
    """
    return Call("DELETE", _subject(subject_id), results.Erasure.model_validate_json, query={"gallery": gallery})


def faces(subject_id: str, *, gallery: str = "default") -> Call[list[results.StoredFace]]:
    """A subject's faces, oldest first; raises SubjectNotFound."""
    return Call("GET", f"{_subject(subject_id)}/faces", _read_faces, query={"gallery": gallery})


def crop(face_id: str, *, gallery: str = "default") -> Call[bytes]:
    """What a stored face looks like, a WebP file; raises CropNotKept where the service keeps none."""
    return Call("GET", f"/gallery/faces/{_segment(face_id)}/crop", bytes, query={"gallery": gallery})


def delete_face(face_id: str, *, gallery: str = "default") -> Call[results.Erasure]:
    """Erase one face; raises FaceNotFound."""
    path = f"/gallery/faces/{_segment(face_id)}"
    return Call("DELETE", path, results.Erasure.model_validate_json, query={"gallery": gallery})


def model() -> Call[results.ModelCard]:
    """The served model's card."""
    return Call("GET", "/model", results.ModelCard.model_validate_json)


def live() -> Call[results.Liveness]:
    """Is the process alive?"""
    return Call("GET", "/health/live", results.Liveness.model_validate_json)


def ready() -> Call[results.Readiness]:
    """Should requests be sent here? Not being ready is an answer, not an error."""
    answers = frozenset({200, 503})
    return Call("GET", "/health/ready", results.Readiness.model_validate_json, answers=answers)


def metrics() -> Call[str]:
    """Prometheus's text."""
    return Call("GET", "/metrics", bytes.decode)


def openapi() -> Call[dict[str, Any]]:
    """The OpenAPI document."""
    return Call("GET", "/openapi.json", json.loads)


def _read_clustering(body: bytes) -> results.Clustering | results.ClusterJob:
    document = json.loads(body)
    kind = results.ClusterJob if isinstance(document, dict) and "job_id" in document else results.Clustering
    return kind.model_validate(document)


def _read_faces(body: bytes) -> list[results.StoredFace]:
    return results.FacePage.model_validate_json(body).items


def _subject(subject_id: str) -> str:
    return f"/gallery/subjects/{_segment(subject_id)}"


def _segment(name: str) -> str:
    if not name:
        raise BadRequest("an id or a name is empty")
    quoted = quote(name, safe="")
    return quoted.replace(".", "%2E") if name in (".", "..") else quoted  # HTTP clients walk up from two dots
