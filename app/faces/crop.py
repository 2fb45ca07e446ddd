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
    source = Image.fromarray(photograph.pixels)
    # Bilinear sampling alone skips pixels when shrinking; average whole blocks of them first.
    source_px_per_crop_px = float(np.hypot(transform[0, 0], transform[1, 0]))
    factor = max(int(source_px_per_crop_px), 1)
    if factor > 1:
        source, transform = _reduced(source, transform, factor, spec.crop_px)
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


def _reduced(
    source: Image.Image, transform: NDArray[np.float64], factor: int, crop_px: int
) -> tuple[Image.Image, NDArray[np.float64]]:
    """Shrink the part of the photograph that the crop reads, and the transform with it."""
    corners = transform @ np.array([[0, crop_px, 0, crop_px], [0, 0, crop_px, crop_px], [1, 1, 1, 1]])
    left, top = np.maximum(np.floor(corners[:2].min(1)).astype(int) - factor, 0)
    right, bottom = np.minimum(np.ceil(corners[:2].max(1)).astype(int) + factor, source.size)
    if right <= left or bottom <= top:
        return source, transform
    # Pillow's own box: whole blocks counted from `left, top`.
    small = source.reduce(factor, (int(left), int(top), int(right), int(bottom)))
    shift = np.array([[1.0 / factor, 0, -left / factor], [0, 1.0 / factor, -top / factor], [0, 0, 1.0]])
    return small, shift @ transform
