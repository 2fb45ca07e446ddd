"""From the bytes of a photograph to the crops of its faces."""

import numpy as np
from PIL import Image

from app.faces.choose import Selection
from app.faces.crop import CropSpec
from app.faces.decode import ImageLimits
from app.faces.detect import FaceDetector
from app.faces.quality import QualityRequirements
from app.faces.reader import PhotographReader
from tests.conftest import encoded


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
