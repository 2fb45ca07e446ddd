"""Subjects renamed and merged are found under the new name at once."""

import httpx

from tests.compreface.conftest import add, photograph

PATH = "/api/v1/recognition/subjects"


def recognized(http: httpx.Client, data: bytes) -> list[str]:
    answer = http.post("/api/v1/recognition/recognize", params={"prediction_count": 9}, **photograph(data)).json()
    return [subject["subject"] for subject in answer["result"][0]["subjects"]]


def test_who_was_renamed_is_recognized_by_the_new_name(http: httpx.Client, portrait: bytes) -> None:
    image_id = add(http, "Eileen", portrait)
    assert http.put(f"{PATH}/Eileen", json={"subject": "Eileen Collins"}).json() == {"updated": True}
    assert recognized(http, portrait) == ["Eileen Collins"]
    faces = http.get("/api/v1/recognition/faces").json()["faces"]
    assert faces == [{"image_id": image_id, "subject": "Eileen Collins"}]


def test_renaming_to_a_name_that_exists_merges_the_two(
    http: httpx.Client, portrait: bytes, portrait_again: bytes
) -> None:
    first, second = add(http, "Eileen", portrait), add(http, "E. Collins", portrait_again)
    assert http.put(f"{PATH}/Eileen", json={"subject": "E. Collins"}).json() == {"updated": True}
    assert recognized(http, portrait) == ["E. Collins"]
    assert http.get(PATH).json() == {"subjects": ["E. Collins"]}
    faces = http.get("/api/v1/recognition/faces").json()["faces"]
    assert [(face["image_id"], face["subject"]) for face in faces] == [(first, "E. Collins"), (second, "E. Collins")]


def test_the_same_name_is_no_change(http: httpx.Client) -> None:
    http.post(PATH, json={"subject": "a"})
    assert http.put(f"{PATH}/a", json={"subject": "a"}).json() == {"updated": False}


def test_a_name_may_have_spaces_and_a_list_may_end_in_a_slash(http: httpx.Client) -> None:
    assert http.post(PATH, json={"subject": "Zoë de la Cruz"}).status_code == 201
    assert http.get(f"{PATH}/").json() == {"subjects": ["Zoë de la Cruz"]}
    assert http.delete(f"{PATH}/Zo%C3%AB%20de%20la%20Cruz").json() == {"subject": "Zoë de la Cruz"}
