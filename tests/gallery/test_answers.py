"""Answers kept for repetitions: told again, never for another request, gone with the subject and with time."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.errors import IdempotencyConflict
from app.gallery.answers import Answer, EnrolmentAnswers, IdempotentRequest
from app.gallery.store import GalleryStore
from app.gallery.tables import enrolment_answers
from tests.gallery.faces import new_face

REQUEST = IdempotentRequest("key-a", "order-1", "ab" * 32)
ANSWER = Answer(201, '{"subject_id":"ada","box":[1,2,3,4]}')


@pytest.fixture
def answers(engine: sa.Engine, store: GalleryStore) -> EnrolmentAnswers:
    """Answers of a gallery in which ada is enrolled, with what she was enrolled under."""
    with engine.begin() as connection:
        connection.execute(sa.delete(enrolment_answers))
    store.add("default", "ada", [new_face(1), new_face(2)])
    answers = EnrolmentAnswers(engine, kept_hours=24)
    answers.keep(REQUEST, "default", "ada", ANSWER)
    return answers


def everything(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return repr(connection.execute(sa.select(enrolment_answers)).all())


def test_the_same_request_is_told_the_same_again(answers: EnrolmentAnswers) -> None:
    assert answers.find(REQUEST) == ANSWER
    answers.keep(REQUEST, "default", "ada", Answer(200, "later"))
    assert answers.find(REQUEST) == ANSWER


@pytest.mark.parametrize("other", [{"caller": "key-b"}, {"caller": ""}, {"key": "order-2"}], ids=repr)
def test_another_caller_or_key_is_told_nothing(answers: EnrolmentAnswers, other: dict[str, str]) -> None:
    assert answers.find(replace(REQUEST, **other)) is None


def test_another_request_under_the_key_is_a_conflict(answers: EnrolmentAnswers) -> None:
    with pytest.raises(IdempotencyConflict, match="another request"):
        answers.find(replace(REQUEST, request_sha256="cd" * 32))


@pytest.mark.parametrize("what", ["subject", "face", "gallery"])
def test_an_erasure_blanks_the_answer_and_leaves_the_key(
    answers: EnrolmentAnswers, store: GalleryStore, engine: sa.Engine, what: str
) -> None:
    if what == "subject":
        store.remove_subject("default", "ada")
    elif what == "face":
        store.remove_face("default", store.faces("default", "ada")[0].face_id)
    else:
        store.drop_gallery("default")
    with pytest.raises(IdempotencyConflict, match="erased"):
        answers.find(REQUEST)
    kept = everything(engine)
    assert REQUEST.key in kept
    assert "box" not in kept
    assert REQUEST.request_sha256 not in kept


def test_an_answer_about_a_subject_that_was_erased_meanwhile_is_not_kept(
    answers: EnrolmentAnswers, store: GalleryStore, engine: sa.Engine
) -> None:
    store.remove_subject("default", "ada")
    late = replace(REQUEST, key="order-2")
    answers.keep(late, "default", "ada", ANSWER)
    assert "box" not in everything(engine)
    with pytest.raises(IdempotencyConflict, match="erased"):
        answers.find(late)


def test_an_answer_is_forgotten_when_its_time_is_over(answers: EnrolmentAnswers, engine: sa.Engine) -> None:
    hasty = EnrolmentAnswers(engine, kept_hours=1e-9)
    assert hasty.find(REQUEST) is None
    answers.prune()
    assert answers.find(REQUEST) == ANSWER
    hasty.prune()
    assert everything(engine) == "[]"
