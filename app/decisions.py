"""What the audit log is told of decisions, where it is to be told of them: distances and names, nothing biometric."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app.domain import Candidate, Identification, SubjectVerification, Verification

if TYPE_CHECKING:
    from app.gallery.decisions import DecisionLog


class DecisionRecorder:
    """Hands decisions to the log; with None, records nothing. Each method raises Overloaded where there is no room."""

    def __init__(self, log: "DecisionLog | None" = None) -> None:
        self._log = log

    def verified(
        self, answer: Verification | SubjectVerification, *, gallery: str | None = None, subject_id: str | None = None
    ) -> None:
        """A comparison of two photographs, or of one with an enrolled subject."""
        facts = {"distance": answer.distance, "threshold": answer.threshold, "gallery": gallery}
        self._add([{"action": "verify", "decision": _verdict(answer.verified), "subject_id": subject_id, **facts}])

    def identified(self, answer: Identification, nearest: Sequence[Sequence[Candidate]]) -> None:
        """One entry for each face; `nearest` are its candidates whether or not they are below the threshold."""
        facts = {"gallery": answer.gallery.name, "revision": answer.gallery.revision, "threshold": answer.threshold}
        self._add(
            [
                {
                    "action": "identify",
                    "decision": face.status,
                    "subject_id": face.candidates[0].subject_id if face.candidates else None,
                    "distance": candidates[0].distance if candidates else None,
                    **facts,
                }
                for face, candidates in zip(answer.faces, nearest, strict=True)
            ]
        )

    def _add(self, entries: Sequence[dict[str, Any]]) -> None:
        if self._log is None:
            return
        from app.gallery.audit import entry

        self._log.add([entry(**facts) for facts in entries])


def _verdict(verified: bool) -> str:
    return "match" if verified else "no_match"
