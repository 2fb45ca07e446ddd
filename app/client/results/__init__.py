"""What a server answers, as frozen values by noun. Members that a newer server adds are kept as they came.

Boxes and landmarks are in pixels of the upright photograph, x to the right, y down. Every distance is a squared L2
distance of unit embeddings, 0 (same) to 4 (opposite). `took_ms` is in milliseconds by stage.

They resemble `app.domain` and the shapes of `app.api`, and share nothing with either: a client imports neither numpy
nor FastAPI, and reads the answers of servers that are older or newer than itself, so that a change over there must
not change by itself what is read here. tests/client holds them to what the service answers.
"""

from app.client.results.clustering import ClusteredFace, ClusteredImage, Clustering, ClusterJob, Group
from app.client.results.enrolment import Duplicate, EnrolledImage, Enrolment
from app.client.results.face import Box, Detection, EmbeddedFace, Embeddings, Face, ImageSize, ProbeFace, Quality
from app.client.results.gallery import (
    ErasedCounts,
    Erasure,
    FacePage,
    Gallery,
    GalleryPage,
    StoredFace,
    Subject,
    SubjectPage,
)
from app.client.results.health import Check, Liveness, Readiness
from app.client.results.identification import Candidate, Identification, IdentifiedFace, SearchedGallery
from app.client.results.model_card import Calibration, ModelCard, OperatingPoint
from app.client.results.result import Model
from app.client.results.verification import NearestFace, Rate, SubjectVerification, Verification

__all__ = [
    "Box",
    "Calibration",
    "Candidate",
    "Check",
    "ClusterJob",
    "ClusteredFace",
    "ClusteredImage",
    "Clustering",
    "Detection",
    "Duplicate",
    "EmbeddedFace",
    "Embeddings",
    "EnrolledImage",
    "Enrolment",
    "ErasedCounts",
    "Erasure",
    "Face",
    "FacePage",
    "Gallery",
    "GalleryPage",
    "Group",
    "Identification",
    "IdentifiedFace",
    "ImageSize",
    "Liveness",
    "Model",
    "ModelCard",
    "NearestFace",
    "OperatingPoint",
    "ProbeFace",
    "Quality",
    "Rate",
    "Readiness",
    "SearchedGallery",
    "StoredFace",
    "Subject",
    "SubjectPage",
    "SubjectVerification",
    "Verification",
]
