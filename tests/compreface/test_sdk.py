"""The public Python SDK of CompreFace, as it comes from PyPI, against a running service."""

import uuid
from pathlib import Path

import pytest
from compreface import CompreFace
from compreface.collections import FaceCollection, Subjects
from compreface.service import DetectionService, RecognitionService, VerificationService

from tests.compreface.conftest import CompreFaceServer

OPTIONS = {
    "limit": 0,
    "det_prob_threshold": 0.8,
    "prediction_count": 1,
    "face_plugins": "calculator,age,gender,landmarks,mask",
    "status": True,
}


@pytest.fixture
def sdk(compreface: CompreFaceServer) -> CompreFace:
    return CompreFace("http://127.0.0.1", str(compreface.server.port), OPTIONS)


@pytest.fixture
def recognition(sdk: CompreFace, compreface: CompreFaceServer) -> RecognitionService:
    """Over a collection of its own."""
    return sdk.init_face_recognition(compreface.key())


@pytest.fixture
def faces(recognition: RecognitionService) -> FaceCollection:
    return recognition.get_face_collection()


@pytest.fixture
def subjects(recognition: RecognitionService) -> Subjects:
    return recognition.get_subjects()


def test_an_example_is_added_listed_and_deleted(faces: FaceCollection, portrait: bytes, portrait_again: bytes) -> None:
    assert faces.list() == {"faces": [], "page_number": 0, "page_size": 20, "total_pages": 0, "total_elements": 0}
    added = faces.add(portrait, "Eileen")
    assert added == {"image_id": str(uuid.UUID(added["image_id"])), "subject": "Eileen"}
    again = faces.add(portrait_again, "Eileen")
    listed = faces.list()
    assert listed["faces"] == [added, again]
    assert (listed["total_pages"], listed["total_elements"]) == (1, 2)
    assert faces.delete(added["image_id"]) == added
    assert faces.delete(added["image_id"]) == {"message": f"Image {added['image_id']} not found", "code": 44}
    assert faces.delete_all("Eileen") == {"deleted": 1}
    assert faces.list()["total_elements"] == 0


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the SDK leaves the file open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_photograph_may_be_a_path(faces: FaceCollection, portrait: bytes, tmp_path: Path) -> None:
    path = tmp_path / "eileen.jpg"
    path.write_bytes(portrait)
    assert faces.add(str(path), "Eileen")["subject"] == "Eileen"


def test_who_is_known_is_recognized(recognition: RecognitionService, portrait: bytes, portrait_again: bytes) -> None:
    recognition.get_face_collection().add(portrait, "Eileen")
    answer = recognition.recognize(portrait_again)
    (face,) = answer["result"]
    assert [subject["subject"] for subject in face["subjects"]] == ["Eileen"]
    assert face["subjects"][0]["similarity"] > 0.95
    assert 0.8 <= face["box"]["probability"] <= 1
    assert all(isinstance(face["box"][edge], int) for edge in ("x_min", "y_min", "x_max", "y_max"))
    assert len(face["embedding"]) == 128
    assert len(face["landmarks"]) == 5
    assert face["execution_time"].keys() == {"detector", "calculator"}
    assert answer["plugins_versions"]["detector"] == "sameface.MTCNN"


def test_what_is_not_asked_for_is_left_out(
    recognition: RecognitionService, portrait: bytes, portrait_again: bytes
) -> None:
    recognition.get_face_collection().add(portrait, "Eileen")
    answer = recognition.recognize(portrait_again, {"limit": 1})
    assert answer.keys() == {"result"}
    assert answer["result"][0].keys() == {"box", "subjects"}


def test_no_face_is_an_error_with_its_number(recognition: RecognitionService, no_face: bytes) -> None:
    refusal = {"message": "No face is found in the given image", "code": 28}
    assert recognition.recognize(no_face) == refusal
    assert recognition.get_face_collection().add(no_face, "nobody") == refusal


def test_an_example_shows_one_face(faces: FaceCollection, two_faces: bytes) -> None:
    assert faces.add(two_faces, "both") == {"message": "More than one face in the source image", "code": 31}


def test_a_saved_example_is_compared_with(faces: FaceCollection, portrait: bytes, two_faces: bytes) -> None:
    image_id = faces.add(portrait, "Eileen")["image_id"]
    answer = faces.verify(two_faces, image_id)
    assert [face["subject"] for face in answer["result"]] == ["Eileen", "Eileen"]
    assert all(face["similarity"] > 0.95 for face in answer["result"])
    nowhere = str(uuid.uuid4())
    assert faces.verify(portrait, nowhere) == {"message": f"Image {nowhere} not found", "code": 44}


def test_subjects_are_added_renamed_and_deleted(subjects: Subjects) -> None:
    assert subjects.list() == {"subjects": []}
    assert subjects.add("Eileen") == {"subject": "Eileen"}
    assert subjects.add("Eileen") == {"message": "Subject already exists", "code": 43}
    assert subjects.update("Eileen", "Eileen Collins") == {"updated": True}
    assert subjects.update("Eileen", "nobody") == {"message": "Subject Eileen not found", "code": 42}
    assert subjects.list() == {"subjects": ["Eileen Collins"]}
    assert subjects.delete("Eileen Collins") == {"subject": "Eileen Collins"}
    assert subjects.delete("Eileen Collins") == {"message": "Subject Eileen Collins not found", "code": 42}
    subjects.add("A")
    subjects.add("B")
    assert subjects.delete_all() == {"deleted": 2}
    assert subjects.list() == {"subjects": []}


def test_two_photographs_are_verified(
    sdk: CompreFace, compreface: CompreFaceServer, portrait: bytes, two_faces: bytes, no_face: bytes
) -> None:
    verification: VerificationService = sdk.init_face_verification(compreface.key())
    (pair,) = verification.verify(portrait, two_faces)["result"]
    assert pair["source_image_face"]["box"]["probability"] > 0.8
    assert [match["similarity"] > 0.95 for match in pair["face_matches"]] == [True, True]
    assert pair["plugins_versions"].keys() == {"detector", "calculator"}
    assert verification.verify(two_faces, portrait)["code"] == 31
    assert verification.verify(portrait, no_face)["code"] == 28


def test_faces_are_detected(sdk: CompreFace, compreface: CompreFaceServer, two_faces: bytes) -> None:
    detection: DetectionService = sdk.init_face_detection(compreface.key())
    answer = detection.detect(two_faces, {"limit": 0, "face_plugins": "landmarks", "det_prob_threshold": 0.8})
    left, right = answer["result"]
    assert left.keys() == {"box", "landmarks"}
    assert left["box"]["x_max"] < right["box"]["x_min"]
    assert detection.detect(two_faces, {"limit": 1})["result"] == [{"box": left["box"]}]


def test_a_wrong_key_is_told_in_compreface_s_form(compreface: CompreFaceServer, sdk: CompreFace) -> None:
    answer = sdk.init_face_recognition("00000000-0000-0000-0000-000000000002").get_subjects().list()
    assert answer == {"message": "the API key is not known here", "code": 10}
