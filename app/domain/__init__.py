"""The words of the domain by noun, as frozen values and three functions. Imports numpy and nothing else.

Frames and units: every coordinate is in pixels of the *upright, full-resolution* photograph (EXIF turned),
x to the right and y down, whatever scale detection ran at. Embeddings are unit vectors, float32, shape (128,)
for the shipped model. The one distance is squared L2 between unit vectors: 0 same, 4 opposite.
"""

from app.domain.clustering import (
    ClusteredFace,
    ClusteredImage,
    Clustering,
    ClusterMethod,
)
from app.domain.embedding import (
    Embedding,
    is_match,
    similarity,
    squared_l2,
)
from app.domain.enrolment import (
    Duplicate,
    DuplicatePolicy,
    EnrolledImage,
    EnrolledSubject,
    Enrolment,
    NewFace,
    StoredFace,
)
from app.domain.face import (
    Box,
    DetectedFace,
    Detection,
    EmbeddedFace,
    EmbeddedFaces,
    FaceChoice,
    FaceCrop,
    FaceQuality,
    MeasuredFace,
    Shortfall,
)
from app.domain.gallery import (
    DEFAULT_GALLERY,
    CollectionFace,
    ErasedGallery,
    ErasedSubject,
    Gallery,
    GalleryFace,
    Subject,
    SubjectChanges,
)
from app.domain.identification import (
    Candidate,
    GalleryState,
    Identification,
    IdentifiedFace,
)
from app.domain.verification import (
    OperatingPoint,
    RateEstimate,
    SubjectVerification,
    Verification,
)

__all__ = [
    "DEFAULT_GALLERY",
    "Box",
    "Candidate",
    "ClusterMethod",
    "ClusteredFace",
    "ClusteredImage",
    "Clustering",
    "CollectionFace",
    "DetectedFace",
    "Detection",
    "Duplicate",
    "DuplicatePolicy",
    "EmbeddedFace",
    "EmbeddedFaces",
    "Embedding",
    "EnrolledImage",
    "EnrolledSubject",
    "Enrolment",
    "ErasedGallery",
    "ErasedSubject",
    "FaceChoice",
    "FaceCrop",
    "FaceQuality",
    "Gallery",
    "GalleryFace",
    "GalleryState",
    "Identification",
    "IdentifiedFace",
    "MeasuredFace",
    "NewFace",
    "OperatingPoint",
    "RateEstimate",
    "Shortfall",
    "StoredFace",
    "Subject",
    "SubjectChanges",
    "SubjectVerification",
    "Verification",
    "is_match",
    "similarity",
    "squared_l2",
]
