"""Which face stands for the photograph."""

import numpy as np
import pytest

from app.domain import FaceChoice
from app.errors import NoFace, SeveralFaces
from app.faces.choose import choose_face
from tests.faces.conftest import face, photograph

SCENE = photograph(np.zeros((100, 200, 3), np.uint8))
SMALL_CENTRAL, LARGE_LEFT = face(90, 40, 110, 60), face(0, 0, 50, 50)


@pytest.mark.parametrize(("choice", "chosen"), [(FaceChoice.LARGEST, LARGE_LEFT), (FaceChoice.CENTRAL, SMALL_CENTRAL)])
def test_the_largest_or_the_central_face_is_chosen(choice: FaceChoice, chosen: object) -> None:
    assert choose_face([SMALL_CENTRAL, LARGE_LEFT], choice, SCENE) is chosen


def test_the_middle_is_that_of_the_full_photograph_when_detection_was_reduced() -> None:
    reduced = photograph(np.zeros((50, 100, 3), np.uint8), scale=0.5)
    assert choose_face([SMALL_CENTRAL, LARGE_LEFT], FaceChoice.CENTRAL, reduced) is SMALL_CENTRAL


def test_a_second_face_is_an_error_where_only_one_is_allowed() -> None:
    with pytest.raises(SeveralFaces) as caught:
        choose_face([SMALL_CENTRAL, LARGE_LEFT], FaceChoice.ONLY, SCENE, field="image1")
    assert (caught.value.field, caught.value.facts) == ("image1", {"faces_found": 2})
    assert choose_face([LARGE_LEFT], FaceChoice.ONLY, SCENE) is LARGE_LEFT


@pytest.mark.parametrize("choice", FaceChoice)
def test_no_face_is_an_error_for_every_choice(choice: FaceChoice) -> None:
    with pytest.raises(NoFace):
        choose_face([], choice, SCENE)
