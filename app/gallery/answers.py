"""What enrolments were answered, so that a caller who repeats one under its Idempotency-Key is told the same again.

An answer is kept in the transaction of its enrolment, so neither is there without the other. Whether searches find the
subject already is only known afterwards: the answer is completed then, and says `"indexed": false` if that fails.

An answer goes with its subject: what is erased is not told again, and the key stays behind, blank, so that a late
repetition does not bring the person back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.domain import EnrolledSubject, Enrolment
from app.errors import IdempotencyConflict
from app.gallery.tables import enrolment_answers as table
from app.gallery.transactions import Transactions


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


@dataclass(frozen=True, slots=True)
class RepeatableEnrolment:
    """What was asked under which key, and how what was done is answered."""

    request: IdempotentRequest
    answer_of: Callable[[Enrolment], Answer]


class AnsweredMeanwhile(Exception):
    """The same request under the same key was faster; nothing was done, and its answer is this one's too."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered meanwhile")
        self.answer = answer


class EnrolmentAnswers:
    """Answers by caller and key, kept for some hours. Synchronous and thread-safe; raises NotReady."""

    def __init__(self, engine: sa.Engine, *, kept_hours: float) -> None:
        self._transactions = Transactions(engine)
        self._kept = timedelta(hours=kept_hours)

    def find(self, request: IdempotentRequest) -> Answer | None:
        """The answer to the same request under the same key. Raises IdempotencyConflict where it was another."""
        with self._transactions.read() as connection:
            return self._find(connection, request)

    def keep(
        self,
        request: IdempotentRequest,
        answer_of: Callable[[EnrolledSubject], Answer],
        connection: sa.Connection,
        subject_key: int,
        subject: EnrolledSubject,
    ) -> None:
        """Remember the answer, inside the transaction of the enrolment.

        Raises AnsweredMeanwhile and IdempotencyConflict where the key was used since `find` was asked.
        """
        if self._transactions.dialect == "postgresql":  # where one enrolment changes nothing, two may be here at once
            turn = sa.func.hashtextextended(f"{request.caller}\n{request.key}", 0)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
        known = self._find(connection, request)
        if known is not None:
            raise AnsweredMeanwhile(known)
        connection.execute(sa.delete(table).where(_of(request)))  # one that is too old
        answer = answer_of(subject)
        row = {
            "caller": request.caller,
            "idempotency_key": request.key,
            "created_at": datetime.now(UTC),
            "subject_key": subject_key,
            "request_sha256": request.request_sha256,
            "status": answer.status,
            "answer": answer.body,
        }
        connection.execute(sa.insert(table).values(row))

    def complete(self, request: IdempotentRequest, answer: Answer) -> None:
        """Put the answer that was given in the place of the one that was kept, unless that was erased."""
        same = sa.and_(_of(request), table.c.request_sha256 == request.request_sha256)
        with self._transactions.write_beside() as connection:
            connection.execute(sa.update(table).where(same).values(status=answer.status, answer=answer.body))

    def prune(self) -> int:
        """Forget what is too old, and say how many answers that were."""
        old = table.c.created_at <= self._oldest()
        with self._transactions.read() as connection:
            if connection.execute(sa.select(table.c.caller).where(old).limit(1)).first() is None:
                return 0
        with self._transactions.write_beside() as connection:
            return connection.execute(sa.delete(table).where(old)).rowcount

    def _find(self, connection: sa.Connection, request: IdempotentRequest) -> Answer | None:
        query = sa.select(table).where(_of(request), table.c.created_at > self._oldest())
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        _check_same(row, request)
        return Answer(row.status, row.answer)

    def _oldest(self) -> datetime:
        return datetime.now(UTC) - self._kept


def _check_same(row: sa.Row[Any], request: IdempotentRequest) -> None:
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


def _of(request: IdempotentRequest) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.caller == request.caller, table.c.idempotency_key == request.key)
