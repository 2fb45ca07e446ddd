"""From the bytes of a photograph to the crops of its faces."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from app.domain import DetectedFace, FaceChoice
from app.errors import NoFace, UnreadableImage
from app.faces.choose import Selection
from app.faces.crop import CropSpec
from app.faces.decode import ImageLimits, Photograph
from app.faces.detect import FaceDetector
from app.faces.inference import Task
from app.faces.quality import QualityRequirements
from app.faces.reader import Found, PhotographReader
from tests.conftest import encoded
from tests.faces.conftest import WEIGHTS


def test_a_large_photograph_is_cropped_from_all_its_pixels(detector: FaceDetector, astronaut: Image.Image) -> None:
    # Detection runs on a quarter of the side, where the face has 45 pixels; the crop wants more than that.
    small_face = Image.new("RGB", (3840, 2880), "grey")
    small_face.paste(astronaut.resize((1024, 1024), Image.Resampling.LANCZOS), (1000, 900))
    data = encoded(small_face, quality=95)
    reader = PhotographReader(
        detector, CropSpec(), limits=ImageLimits(), required=QualityRequirements(), detect_side_px=960
    )
    found = reader.find(data, Selection())
    assert found.faces_found == 1
    fine = np.abs(np.diff(found.crops[0].astype(int), axis=1)).mean()
    reduced = small_face.reduce(4)
    coarse = reader.find(encoded(reduced, quality=95), Selection())
    assert fine > 1.2 * np.abs(np.diff(coarse.crops[0].astype(int), axis=1)).mean()


@pytest.mark.parametrize(("detect_side_px", "faces"), [(960, 0), (3840, 1)])
def test_a_larger_side_for_detection_finds_smaller_faces(
    detector: FaceDetector, astronaut: Image.Image, detect_side_px: int, faces: int
) -> None:
    # The face has some 60 pixels, 15 at a quarter of the side.
    scene = Image.new("RGB", (3840, 2880), "grey")
    scene.paste(astronaut.resize((300, 300), Image.Resampling.LANCZOS), (1500, 900))
    limits, required = ImageLimits(), QualityRequirements()
    reader = PhotographReader(detector, CropSpec(), limits=limits, required=required, detect_side_px=detect_side_px)
    assert reader.find(encoded(scene, quality=95), Selection()).faces_found == faces


def test_of_photographs_read_together_each_is_found_or_fails_for_itself(
    detector: FaceDetector, portrait: bytes, two_faces: bytes, no_face: bytes
) -> None:
    reader = PhotographReader(
        detector, CropSpec(), limits=ImageLimits(), required=QualityRequirements(), detect_side_px=960
    )
    largest, everyone = Task(Selection(FaceChoice.LARGEST)), Task(Selection(), keep_crops=True)
    found = reader.find_all(
        [
            (two_faces, everyone),
            (no_face, largest),
            (portrait[:2000], largest),
            (portrait, largest),
            (no_face, everyone),
        ]
    )
    assert [type(each) for each in found] == [Found, NoFace, UnreadableImage, Found, Found]
    both, _, _, one, none = found
    assert isinstance(both, Found)
    assert isinstance(one, Found)
    assert isinstance(none, Found)
    assert [len(each.crops) for each in (both, one, none)] == [2, 1, 0]
    assert [kept is None for kept in (*both.kept, *one.kept)] == [False, False, True]
    alone = reader.find(portrait, Selection(FaceChoice.LARGEST))
    assert one.faces[0].quality == alone.faces[0].quality
    np.testing.assert_array_equal(one.crops, alone.crops)
    with pytest.raises(NoFace):
        reader.find(no_face, Selection(FaceChoice.LARGEST))


def test_a_photograph_at_which_the_detector_fails_fails_alone(portrait: bytes, two_faces: bytes) -> None:
    class Fragile(FaceDetector):
        def detect_all(self, photographs: Sequence[Photograph]) -> list[list[DetectedFace]]:
            if any(each.width == 100 for each in photographs):
                raise RuntimeError("out of memory")
            return super().detect_all(photographs)

    reader = PhotographReader(
        Fragile(WEIGHTS), CropSpec(), limits=ImageLimits(), required=QualityRequirements(), detect_side_px=960
    )
    wanted = Task(Selection())
    grey = encoded(Image.new("RGB", (100, 100), "grey"))
    found = reader.find_all([(portrait, wanted), (grey, wanted), (two_faces, wanted)])
    assert [type(each) for each in found] == [Found, RuntimeError, Found]
