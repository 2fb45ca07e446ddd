"""From a detected face to the square of pixels that the embedder sees, as the model card prescribes.

One function serves training, evaluation and the service. The crop is tight and keeps its aspect ratio; it is
levelled and scaled by the five landmarks, because a network that never sees tilt or offset learns faster from
little data (models/README.md has the figures against an unaligned box).
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.domain import DetectedFace
from app.faces.decode import Photograph, Pixels

# Where the five landmarks lie in a 112 px crop: the template in common use since SphereFace and ArcFace.
TEMPLATE_112: tuple[tuple[float, float], ...] = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)


@dataclass(frozen=True, slots=True)
class CropSpec:
    """Geometry of the crop: `template` holds x, y of the five landmarks in a crop of `crop_px` squared."""

    crop_px: int = 112
    template: tuple[tuple[float, float], ...] = TEMPLATE_112

    def scaled(self, crop_px: int) -> Self:
        """The same part of the face in another number of pixels."""
        factor = crop_px / self.crop_px
        return replace(self, crop_px=crop_px, template=tuple((x * factor, y * factor) for x, y in self.template))

    def widened(self, margin_px: int) -> Self:
        """The same crop with more of the surroundings; its middle is pixel for pixel this one."""
        moved = tuple((x + margin_px, y + margin_px) for x, y in self.template)
        return replace(self, crop_px=self.crop_px + 2 * margin_px, template=moved)


def crop_face(photograph: Photograph, face: DetectedFace, spec: CropSpec) -> Pixels:
    """Cut out a face as uint8 (crop_px, crop_px, 3), RGB; what lies outside the photograph is black."""
    landmarks = face.landmarks.astype(np.float64) * photograph.scale
    transform = similarity_transform(np.array(spec.template, dtype=np.float64), landmarks)
    # Bilinear sampling alone skips pixels when shrinking; average whole blocks of them first.
    factor = max(int(np.hypot(transform[0, 0], transform[1, 0])), 1)
    left, top, right, bottom = _read_part(photograph.pixels, transform, factor, spec.crop_px)
    if right <= left or bottom <= top:
        return np.zeros((spec.crop_px, spec.crop_px, 3), np.uint8)
    source = Image.fromarray(photograph.pixels[top:bottom, left:right])
    transform[:2, 2] -= left, top
    if factor > 1:
        source, transform = source.reduce(factor), transform / factor
    coefficients = transform[:2].ravel().tolist()
    size = (spec.crop_px, spec.crop_px)
    return np.asarray(source.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR))


def source_scale(face: DetectedFace, spec: CropSpec) -> float:
    """Full-resolution pixels per pixel of the crop, for this face."""
    transform = similarity_transform(np.array(spec.template, np.float64), face.landmarks.astype(np.float64))
    return float(np.hypot(transform[0, 0], transform[1, 0]))


def similarity_transform(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation, uniform scale and shift that take `source` nearest to `target` (Umeyama 1991), float64 (3, 3).

    Both are (n, 2). In two dimensions the least-squares answer is a complex ratio; there is no reflection in it.
    """
    centre_source, centre_target = source.mean(0), target.mean(0)
    a = (source - centre_source) @ np.array([1, 1j])
    b = (target - centre_target) @ np.array([1, 1j])
    ratio = np.vdot(a, b) / np.vdot(a, a)
    matrix = np.array([[ratio.real, -ratio.imag, 0.0], [ratio.imag, ratio.real, 0.0], [0.0, 0.0, 1.0]])
    matrix[:2, 2] = centre_target - matrix[:2, :2] @ centre_source
    return matrix


def _read_part(pixels: Pixels, transform: NDArray[np.float64], margin_px: int, crop_px: int) -> tuple[int, ...]:
    """Left, top, right and bottom of what the crop reads of the photograph; nothing where it lies beside it."""
    corners = transform @ np.array([[0, crop_px, 0, crop_px], [0, 0, crop_px, crop_px], [1, 1, 1, 1]])
    height, width = pixels.shape[:2]
    first = np.maximum(np.floor(corners[:2].min(1)).astype(int) - margin_px, 0)
    last = np.minimum(np.ceil(corners[:2].max(1)).astype(int) + margin_px, [width, height])
    return (*first.tolist(), *last.tolist())
