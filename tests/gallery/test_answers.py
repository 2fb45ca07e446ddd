"""Answers kept for repetitions: told again, never for another request, gone with the subject and with time."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from app.domain import EnrolledSubject
from app.errors import IdempotencyConflict
from app.gallery import model_change
from app.gallery.answers import Answer, AnsweredMeanwhile, EnrolmentAnswers, IdempotentRequest
from app.gallery.store import GalleryStore
from app.gallery.sweeper import Sweeper
from app.gallery.tables import enrolment_answers
from tests.gallery.faces import MODEL_ID, new_face

REQUEST = IdempotentRequest("key-a", "order-1", "ab" * 32)
ANSWER = Answer(201, '{"subject_id":"ada","box":[1,2,3,4]}')


@pytest.fixture
def answers(engine: sa.Engine, store: GalleryStore) -> EnrolmentAnswers:
    """Answers of a gallery in which ada is enrolled, with what she was enrolled under."""
    with engine.begin() as connection:
        connection.execute(sa.delete(enrolment_answers))
    answers = EnrolmentAnswers(engine, kept_hours=24)
    enroll(store, answers, REQUEST, 1, 2)
    return answers


def enroll(
    store: GalleryStore, answers: EnrolmentAnswers, request: IdempotentRequest, *seeds: int, answer: Answer = ANSWER
) -> EnrolledSubject:
    """Enrol photographs of ada under a key."""
    keep = partial(answers.keep, request, lambda _: answer)
    return store.add("default", "ada", [new_face(seed) for seed in seeds], keep=keep)


def everything(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return repr(connection.execute(sa.select(enrolment_answers)).all())


def test_the_same_request_is_told_the_same_again(answers: EnrolmentAnswers) -> None:
    assert answers.find(REQUEST) == ANSWER
    answers.complete(REQUEST, Answer(201, "with what is known later"))
    assert answers.find(REQUEST) == Answer(201, "with what is known later")


def test_an_answer_is_made_of_what_was_stored_and_is_there_if_and_only_if_that_is(
    answers: EnrolmentAnswers, store: GalleryStore
) -> None:
    other = replace(REQUEST, key="order-2")

    def failing(subject: EnrolledSubject) -> Answer:
        raise RuntimeError(subject.subject_id)

    revision = store.revision()
    with pytest.raises(RuntimeError, match="bob"):
        store.add("default", "bob", [new_face(5)], keep=partial(answers.keep, other, failing))
    assert (store.revision(), answers.find(other)) == (revision, None)
    assert [subject.subject_id for subject in store.subjects("default")] == ["ada"]
    said = partial(answers.keep, other, lambda subject: Answer(201, subject.faces[0].face_id))
    bob = store.add("default", "bob", [new_face(5)], keep=said)
    assert answers.find(other) == Answer(201, bob.faces[0].face_id)


def test_an_enrolment_of_what_is_there_is_kept_too_and_takes_no_revision(
    answers: EnrolmentAnswers, store: GalleryStore
) -> None:
    revision = store.revision()
    other = replace(REQUEST, key="order-2")
    assert enroll(store, answers, other, 1, 2).revision == revision == store.revision()
    assert answers.find(other) == ANSWER


def test_of_two_requests_at_once_the_slower_does_nothing_and_is_told_the_answer(
    answers: EnrolmentAnswers, store: GalleryStore
) -> None:
    revision = store.revision()
    for seeds in ((1, 2), (7, 8)):
        with pytest.raises(AnsweredMeanwhile) as told:
            enroll(store, answers, REQUEST, *seeds, answer=Answer(201, "slower"))
        assert told.value.answer == ANSWER
    with pytest.raises(IdempotencyConflict, match="another request"):
        enroll(store, answers, replace(REQUEST, request_sha256="cd" * 32), 7)
    assert store.revision() == revision
    assert len(store.faces("default", "ada")) == 2


def test_of_two_enrolments_at_once_that_change_nothing_one_is_told_the_others_answer(
    answers: EnrolmentAnswers, store: GalleryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = EnrolmentAnswers._find

    def slowly(self: EnrolmentAnswers, connection: sa.Connection, request: IdempotentRequest) -> Answer | None:
        found = find(self, connection, request)
        time.sleep(0.3)  # the other one looks meanwhile, if it may
        return found

    monkeypatch.setattr(EnrolmentAnswers, "_find", slowly)
    other = replace(REQUEST, key="order-2")
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(enroll, store, answers, other, 1, 2) for _ in range(2)]
    failures = [one.exception() for one in both]
    assert [type(failure) for failure in failures if failure is not None] == [AnsweredMeanwhile]


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


def test_an_answer_about_a_subject_that_was_erased_meanwhile_is_not_completed(
    answers: EnrolmentAnswers, store: GalleryStore, engine: sa.Engine
) -> None:
    store.remove_subject("default", "ada")
    answers.complete(REQUEST, ANSWER)
    assert "box" not in everything(engine)
    with pytest.raises(IdempotencyConflict, match="erased"):
        answers.find(REQUEST)


def test_an_answer_is_forgotten_when_its_time_is_over(
    answers: EnrolmentAnswers, store: GalleryStore, engine: sa.Engine
) -> None:
    hasty = EnrolmentAnswers(engine, kept_hours=1e-9)
    assert hasty.find(REQUEST) is None
    assert answers.prune() == 0
    assert answers.find(REQUEST) == ANSWER
    Sweeper(store, lambda: None, interval_seconds=60, answers=hasty).sweep()
    assert everything(engine) == "[]"


def test_a_key_can_be_used_again_when_its_time_is_over(
    answers: EnrolmentAnswers, store: GalleryStore, engine: sa.Engine
) -> None:
    hasty = EnrolmentAnswers(engine, kept_hours=1e-9)
    enroll(store, hasty, replace(REQUEST, request_sha256="cd" * 32), 3, answer=Answer(201, "another"))
    assert answers.find(replace(REQUEST, request_sha256="cd" * 32)) == Answer(201, "another")


def test_an_answer_about_faces_that_went_with_their_model_is_forgotten(
    answers: EnrolmentAnswers, store: GalleryStore, engine: sa.Engine
) -> None:
    again = replace(REQUEST, key="order-2")
    other = GalleryStore(engine, "another-model")
    other.add("default", "bob", [new_face(5)], keep=partial(answers.keep, again, lambda _: ANSWER))
    assert sum(model_change.forget_model(engine, MODEL_ID)) == 2
    with pytest.raises(IdempotencyConflict, match="erased"):
        answers.find(REQUEST)
    assert answers.find(again) == ANSWER
