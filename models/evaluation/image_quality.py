"""What compression and resolution cost: the paper's table 4, through the whole of the service.

A photograph is compressed to a JPEG quality, or shrunk until its face has so many pixels; then it goes through the
decoder, detector, crop and network as it would have come from a camera. A photograph is never enlarged.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from app.domain import FaceChoice
from app.errors import NoFace
from app.faces.choose import choose_face
from app.faces.decode import ImageLimits, decode
from app.faces.detect import FaceDetector
from models.evaluation.allpairs import short
from models.openset import Embeddings, People
from models.pairs import CI95_PERCENT, PairTable, bootstrap_val
from models.prepare import Change

JPEG_QUALITIES = [10, 20, 30, 50, 70, 90]
FACE_PIXELS = [1_600, 6_400, 14_400, 25_600, 65_536]
FAR = 1e-3


@dataclass(frozen=True, slots=True)
class Compressed:
    """As a JPEG of this quality, 1 to 95."""

    quality: int

    def __call__(self, data: bytes, detector: FaceDetector) -> bytes:
        """`detector` is not needed."""
        buffer = io.BytesIO()
        Image.fromarray(decode(data, ImageLimits()).pixels).save(buffer, "JPEG", quality=self.quality)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Shrunk:
    """So that the box of the central face covers at most this many pixels, without further loss."""

    face_pixels: int

    def __call__(self, data: bytes, detector: FaceDetector) -> bytes:
        """A photograph without a face, or whose face is small enough, stays as it is."""
        photograph = decode(data, ImageLimits())
        try:
            face = choose_face(detector.detect(photograph), FaceChoice.CENTRAL, photograph)
        except NoFace:
            return data
        scale = (self.face_pixels / face.box.area) ** 0.5
        if scale >= 1:
            return data
        size = (max(round(photograph.width * scale), 1), max(round(photograph.height * scale), 1))
        buffer = io.BytesIO()
        Image.fromarray(photograph.pixels).resize(size, Image.Resampling.LANCZOS).save(buffer, "PNG")
        return buffer.getvalue()


def changes() -> dict[str, Change | None]:
    """Each row of the table by a name that serves as a folder's; `original` is the photograph as it is."""
    compressed: dict[str, Change | None] = {f"jpeg-{quality}": Compressed(quality) for quality in JPEG_QUALITIES}
    shrunk = {f"pixels-{pixels}": Shrunk(pixels) for pixels in FACE_PIXELS}
    return {"original": None} | compressed | shrunk


def row(name: str, embeddings: Embeddings, people: People, photographs: int, threshold: float) -> dict[str, Any]:
    """VAL at FAR 1e-3 on the changed photographs' own pairs, as in the paper, and both at the card's threshold.

    A photograph without a face is a failure to acquire: it takes its genuine pairs with it, and is counted.
    """
    table = PairTable(embeddings, people)
    own = table.threshold(FAR)
    low, high = np.percentile(bootstrap_val(table, [own]), CI95_PERCENT)
    return {
        "change": name,
        "photographs": photographs,
        "failures_to_acquire": photographs - len(people),
        "impostor_pairs": table.impostor_pairs,
        "genuine_pairs": len(table.genuine),
        "val_at_far_0.001": round(table.val(own), 4),
        "ci95": [round(float(low), 4), round(float(high), 4)],
        "at_card_threshold": {"far": short(table.far(threshold)), "val": round(table.val(threshold), 4)},
    }
