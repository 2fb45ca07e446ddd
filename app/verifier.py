"""One comparison as a decision: judged by a threshold, told to the metrics and to the audit log."""

from typing import TYPE_CHECKING

from app.decisions import DecisionRecorder
from app.domain import Candidate, EmbeddedFace, SubjectVerification, Verification, is_match, squared_l2
from app.thresholds import VerificationThreshold

if TYPE_CHECKING:
    from app.faces.card import ModelCard
    from app.metrics import Metrics


class Verifier:
    """Both methods raise Overloaded where the audit log has no room for the decision."""

    def __init__(self, card: "ModelCard", metrics: "Metrics", decisions: DecisionRecorder) -> None:
        self._card, self._metrics, self._decisions = card, metrics, decisions

    def pair(
        self, face1: EmbeddedFace, face2: EmbeddedFace, limit: VerificationThreshold, took_ms: dict[str, float]
    ) -> Verification:
        """Are these two faces of one person? `took_ms`: milliseconds by stage until here."""
        distance = squared_l2(face1.embedding, face2.embedding)
        answer = Verification(
            verified=is_match(distance, limit.squared_l2),
            distance=distance,
            threshold=limit.squared_l2,
            far=limit.far,
            distance_far=self._card.far_at(distance),
            face1=face1,
            face2=face2,
            took_ms=took_ms,
        )
        self._metrics.verified(answer)
        self._decisions.verified(answer)
        return answer

    def subject(
        self,
        face: EmbeddedFace,
        nearest: Candidate,
        gallery: str,
        limit: VerificationThreshold,
        took_ms: dict[str, float],
    ) -> SubjectVerification:
        """Is this the face of the subject whose face `nearest` is?"""
        answer = SubjectVerification(
            verified=is_match(nearest.distance, limit.squared_l2),
            distance=nearest.distance,
            threshold=limit.squared_l2,
            far=limit.far,
            distance_far=self._card.far_at(nearest.distance),
            face=face,
            nearest=nearest,
            gallery=gallery,
            took_ms=took_ms,
        )
        self._metrics.verified(answer)
        self._decisions.verified(answer, gallery=gallery, subject_id=nearest.subject_id)
        return answer
