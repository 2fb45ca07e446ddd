"""One comparison: what is known of its error rates, and its answer."""

from dataclasses import dataclass

from app.domain.face import EmbeddedFace
from app.domain.identification import Candidate


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A measured false-accept rate of one comparison and the threshold that gives it."""

    far: float
    threshold: float
    impostor_pairs: int


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """A measured rate with its 95 % interval."""

    estimate: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer to "do these two photographs show the same face?"."""

    verified: bool
    distance: float
    threshold: float
    far: float | None  # FAR of the threshold; None where the calibration does not say
    distance_far: RateEstimate | None
    face1: EmbeddedFace
    face2: EmbeddedFace
    took_ms: dict[str, float]


@dataclass(frozen=True, slots=True)
class SubjectVerification:
    """The answer to "is this the face of that subject?"; `nearest` is the nearest of the subject's faces."""

    verified: bool
    distance: float
    threshold: float
    far: float | None
    distance_far: RateEstimate | None
    face: EmbeddedFace
    nearest: Candidate
    gallery: str
    took_ms: dict[str, float]
