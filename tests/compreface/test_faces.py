"""Saved examples: pages with totals, one photograph once, several erased at once."""

import io

import httpx
import pytest
from PIL import Image

from app.main import create_app
from app.service import FaceService
from tests.api.conftest import Client
from tests.compreface.conftest import CompreFaceServer, add, photograph
from tests.conftest import encoded

PATH = "/api/v1/recognition/faces"


@pytest.fixture
def five(http: httpx.Client, astronaut: Image.Image) -> list[tuple[str, str]]:
    """image_id and subject of five examples, in the order in which they were added."""
    saved = []
    for number, subject in enumerate(["a", "b", "a", "c", "a"]):
        saved.append((add(http, subject, encoded(astronaut, quality=80 + number)), subject))
    return saved


def listed(http: httpx.Client, **params: object) -> list[tuple[str, str]]:
    page = http.get(PATH, params=params).json()  # type: ignore[arg-type]
    return [(face["image_id"], face["subject"]) for face in page["faces"]]


def test_pages_follow_each_other_and_say_how_many_there_are(http: httpx.Client, five: list[tuple[str, str]]) -> None:
    assert [face for page in range(3) for face in listed(http, page=page, size=2)] == five
    first = http.get(PATH, params={"page": 0, "size": 2}).json()
    facts = {"page_number": 0, "page_size": 2, "total_pages": 3, "total_elements": 5}
    assert {name: first[name] for name in facts} == facts
    beyond = http.get(PATH, params={"page": 7, "size": 2}).json()
    assert (beyond["faces"], beyond["total_elements"]) == ([], 5)


def test_the_examples_of_one_subject_are_listed(http: httpx.Client, five: list[tuple[str, str]]) -> None:
    assert listed(http, subject="a") == [face for face in five if face[1] == "a"]
    assert listed(http, subject="nobody") == []
    assert listed(http, subject="") == five


def test_a_name_that_nobody_can_have_has_no_examples(http: httpx.Client) -> None:
    assert http.get("/api/v1/recognition/faces", params={"subject": "\0"}).json()["total_elements"] == 0


def test_several_are_erased_and_the_unknown_passed_over(http: httpx.Client, five: list[tuple[str, str]]) -> None:
    wanted = [five[1][0], "00000000-0000-4000-8000-000000000000", "nonsense", five[3][0], five[1][0]]
    answer = http.post(f"{PATH}/delete", json=wanted)
    assert answer.json() == [{"image_id": i, "subject": s} for i, s in (five[1], five[3])]
    assert listed(http) == [five[0], five[2], five[4]]


def test_everything_is_erased_where_no_subject_is_named(http: httpx.Client, five: list[tuple[str, str]]) -> None:
    assert http.delete(PATH).json() == {"deleted": len(five)}
    assert listed(http) == []
    assert http.get("/api/v1/recognition/subjects").json() == {"subjects": []}


def test_the_same_photograph_of_a_subject_is_one_example(http: httpx.Client, portrait: bytes) -> None:
    assert add(http, "a", portrait) == add(http, "a", portrait)
    assert add(http, "b", portrait) != add(http, "a", portrait)
    assert len(listed(http)) == 2


def test_an_example_can_be_downloaded(http: httpx.Client, portrait: bytes) -> None:
    image_id = add(http, "a", portrait)
    answer = http.get(f"{PATH}/{image_id}/img")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.format == "WEBP"
    http.delete(f"{PATH}/{image_id}")
    assert http.get(f"{PATH}/{image_id}/img").json() == {"message": f"Image {image_id} not found", "code": 44}


def test_an_example_that_was_not_kept_has_no_picture(service: FaceService, portrait: bytes) -> None:
    app = create_app(service.settings.model_copy(update={"compreface": True}))
    app.state.service = service
    client = Client(app)
    saved = client.post(PATH, params={"subject": "a"}, **photograph(portrait)).json()
    answer = client.get(f"{PATH}/{saved['image_id']}/img")
    assert (answer.status_code, answer.json()["code"]) == (404, 11)
    client.request("DELETE", f"{PATH}/{saved['image_id']}")


def test_an_example_of_another_collection_does_not_exist(
    http: httpx.Client, compreface: CompreFaceServer, portrait: bytes
) -> None:
    with compreface.http(compreface.key()) as other:
        image_id = add(other, "a", portrait)
        assert http.delete(f"{PATH}/{image_id}").status_code == 404
        assert http.post(f"{PATH}/{image_id}/verify", **photograph(portrait)).status_code == 404
        assert http.post(f"{PATH}/delete", json=[image_id]).json() == []
        assert other.delete(f"{PATH}/{image_id}").status_code == 200
