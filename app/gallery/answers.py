"""What enrolments were answered, so that a caller who repeats one under its Idempotency-Key is told the same again.

An answer goes with its subject: what is erased is not told again, and the key stays behind, blank, so that a late
repetition does not bring the person back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.errors import IdempotencyConflict
from app.gallery import statements
from app.gallery.engine import WRITING, database_errors
from app.gallery.tables import enrolment_answers as table


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the body that went with it."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """`caller` is the id of an API key or empty; `request_sha256` is of all that was asked, in hexadecimal."""

    caller: str
    key: str
    request_sha256: str


class EnrolmentAnswers:
    """Answers by caller and key, kept for some hours. Synchronous and thread-safe; raises NotReady."""

    def __init__(self, engine: sa.Engine, *, kept_hours: float) -> None:
        self._engine = engine
        self._kept = timedelta(hours=kept_hours)

    def find(self, request: IdempotentRequest) -> Answer | None:
        """The answer to the same request under the same key. Raises IdempotencyConflict where it was another."""
        query = sa.select(table).where(_of(request), table.c.created_at > self._oldest())
        with database_errors(), self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.answer is None:
            raise IdempotencyConflict(
                "what was enrolled under this Idempotency-Key has been erased since; enrol it again under a new key",
                field="Idempotency-Key",
            )
        if row.request_sha256 != request.request_sha256:
            raise IdempotencyConflict(
                "this Idempotency-Key came with another request before; give each request a key of its own",
                field="Idempotency-Key",
            )
        return Answer(row.status, row.answer)

    def keep(self, request: IdempotentRequest, gallery: str, subject_id: str, answer: Answer) -> None:
        """Remember an answer, unless one is remembered already, and forget those that are too old."""
        with database_errors(), self._engine.execution_options(**WRITING).begin() as connection:
            connection.execute(sa.delete(table).where(table.c.created_at <= self._oldest()))
            if connection.execute(sa.select(table.c.caller).where(_of(request))).first():
                return
            # None where it was erased meanwhile: then the row is blank.
            subject = statements.find_subject(connection, statements.gallery_id(connection, gallery), subject_id)
            content = {} if subject is None else _content(request, subject.id, answer)
            row = {"caller": request.caller, "idempotency_key": request.key, "created_at": datetime.now(UTC)}
            connection.execute(sa.insert(table).values(row | content))

    def prune(self) -> None:
        """Forget what is too old."""
        with database_errors(), self._engine.execution_options(**WRITING).begin() as connection:
            connection.execute(sa.delete(table).where(table.c.created_at <= self._oldest()))

    def _oldest(self) -> datetime:
        return datetime.now(UTC) - self._kept


def _of(request: IdempotentRequest) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.caller == request.caller, table.c.idempotency_key == request.key)


def _content(request: IdempotentRequest, subject_key: int, answer: Answer) -> dict[str, object]:
    return {
        "subject_key": subject_key,
        "request_sha256": request.request_sha256,
        "status": answer.status,
        "answer": answer.body,
    }
