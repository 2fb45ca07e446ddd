"""Strangers and acquaintances from Labeled Faces in the Wild, over HTTP."""

import itertools
from pathlib import Path

import pytest

from app.service import FaceService
from tests.api.conftest import Client

PAIRS = 20


def photograph(lfw: Path, person: str, number: str) -> bytes:
    return (lfw / "images" / person / f"{person}_{int(number):04d}.jpg").read_bytes()


@pytest.fixture(scope="module")
def rows(lfw: Path) -> list[list[str]]:
    """View 1, test: `name, i, j` of one person or `name, i, other name, j` of two."""
    return [line.split() for line in (lfw / "pairsDevTest.txt").read_text().splitlines()[1:]]


def test_photographs_of_one_person_are_nearer_than_those_of_two(
    client: Client, lfw: Path, rows: list[list[str]]
) -> None:
    def distance(name: str, number: str, other: str, other_number: str) -> float:
        files = {"image1": photograph(lfw, name, number), "image2": photograph(lfw, other, other_number)}
        return float(client.post("/verify", files=files).json()["distance"])

    acquaintances = [row for row in rows if len(row) == 3][:PAIRS]
    strangers = [row for row in rows if len(row) == 4][:PAIRS]
    same = [distance(name, number, name, other_number) for name, number, other_number in acquaintances]
    different = [distance(*row) for row in strangers]
    nearer = [near < far for near, far in itertools.product(same, different)]
    assert sum(nearer) / len(nearer) > 0.8  # a guess gives 0.5


def test_everyone_is_recognised_on_the_photograph_that_was_enrolled_and_no_one_else_is_named_first(
    client: Client, service: FaceService, gallery: str, lfw: Path
) -> None:
    people = sorted(folder.name for folder in (lfw / "images").iterdir())[:200:20]
    for person in people:
        form = {"subject_id": person, "gallery": gallery, "on_several_faces": "largest"}
        files = {"image": photograph(lfw, person, "1")}
        assert client.post("/gallery/enroll", files=files, data=form).status_code == 201
    assert len(service.store.subjects(gallery)) == len(people)
    for person in people:
        files = {"image": photograph(lfw, person, "1")}
        (face,) = client.post("/identify", files=files, data={"gallery": gallery}).json()["faces"]
        first = face["candidates"][0]
        assert (first["subject_id"], first["rank"]) == (person, 1)
        assert first["distance"] == pytest.approx(0, abs=1e-5)
