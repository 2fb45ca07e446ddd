"""Faces are recognized among those of the key's collection, in CompreFace's words."""

import base64

import httpx

from app.keys.key import Scope
from tests.compreface.conftest import CompreFaceServer, add, photograph

PATH = "/api/v1/recognition/recognize"


def test_a_collection_is_the_gallery_that_the_key_is_bound_to(compreface: CompreFaceServer, portrait: bytes) -> None:
    both = {"galleries": ["staff"]}
    with (
        compreface.http(compreface.key(**both)) as one,
        compreface.http(compreface.key(Scope.IDENTIFY, **both)) as other,
        compreface.http(compreface.key()) as stranger,
    ):
        add(one, "Eileen", portrait)
        assert other.post(PATH, **photograph(portrait)).json()["result"][0]["subjects"][0]["subject"] == "Eileen"
        assert stranger.post(PATH, **photograph(portrait)).json()["result"][0]["subjects"] == []
        own = compreface.server.http.post(
            "/identify", data={"gallery": "staff"}, files={"image": portrait}, headers=dict(one.headers)
        )
        assert own.json()["faces"][0]["candidates"][0]["subject_id"] == "Eileen"


def test_a_key_that_is_bound_to_nothing_has_the_default_gallery(compreface: CompreFaceServer, portrait: bytes) -> None:
    with compreface.http(compreface.key(galleries=[])) as http:
        image_id = add(http, "Eileen", portrait)
        listed = compreface.server.http.get("/gallery/subjects/Eileen/faces", headers=dict(http.headers)).json()
        assert [face["face_id"] for face in listed["items"]] == [image_id]


def test_base64_is_taken_as_well(http: httpx.Client, portrait: bytes) -> None:
    encoded = {"file": base64.b64encode(portrait).decode()}
    saved = http.post("/api/v1/recognition/faces", params={"subject": "Eileen"}, json=encoded)
    assert saved.status_code == 201
    found = http.post(PATH, json=encoded).json()["result"][0]
    assert found["subjects"] == [{"subject": "Eileen", "similarity": 1.0}]


def test_subjects_come_by_similarity_as_many_as_asked_for(
    http: httpx.Client, portrait: bytes, portrait_again: bytes
) -> None:
    add(http, "same", portrait)
    add(http, "again", portrait_again)
    for count, names in ((1, ["same"]), (2, ["same", "again"]), (10**6, ["same", "again"])):
        (face,) = http.post(PATH, params={"prediction_count": count}, **photograph(portrait)).json()["result"]
        assert [subject["subject"] for subject in face["subjects"]] == names
        similarities = [subject["similarity"] for subject in face["subjects"]]
        assert similarities == sorted(similarities, reverse=True)


def test_the_largest_faces_come_first_and_a_limit_cuts_the_rest(http: httpx.Client, two_faces: bytes) -> None:
    all_of_them = http.post(PATH, params={"limit": 0}, **photograph(two_faces)).json()["result"]
    assert [face["box"]["x_min"] < 512 for face in all_of_them] == [True, False]
    assert http.post(PATH, params={"limit": 1}, **photograph(two_faces)).json()["result"] == all_of_them[:1]


def test_faces_that_the_detector_doubts_are_passed_over(http: httpx.Client, portrait: bytes) -> None:
    (face,) = http.post(PATH, **photograph(portrait)).json()["result"]
    assert face["box"]["probability"] < 1
    answer = http.post(PATH, params={"det_prob_threshold": 1}, **photograph(portrait))
    assert (answer.status_code, answer.json()["code"]) == (400, 28)
    saved = http.post(
        "/api/v1/recognition/faces", params={"subject": "a", "det_prob_threshold": 1}, **photograph(portrait)
    )
    assert (saved.status_code, saved.json()["code"]) == (400, 28)
