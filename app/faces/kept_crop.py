"""Crops as they are kept: a little wider than the embedder's, lossless, and to be cropped again for a later model."""

import io

import numpy as np
from PIL import Image

from app.domain import Box, DetectedFace, FaceCrop
from app.faces.crop import CropSpec, crop_face
from app.faces.decode import Photograph, Pixels

_WEBP_EFFORT = 2  # of 0 to 6: 14 ms a crop, and 4 % larger than at 4, which takes three times as long


def kept_spec(spec: CropSpec) -> CropSpec:
    """The crop that is kept for an embedder's: an eighth of its side more on each side."""
    return spec.widened(_margin_px(spec))


def middle(kept: Pixels, spec: CropSpec) -> Pixels:
    """What the embedder sees of a crop of `kept_spec(spec)`."""
    margin, side = _margin_px(spec), spec.crop_px
    return np.ascontiguousarray(kept[margin : margin + side, margin : margin + side])


def encode(kept: Pixels, spec: CropSpec) -> FaceCrop:
    """A crop of `spec`, uint8 (crop_px, crop_px, 3), as a lossless file."""
    file = io.BytesIO()
    Image.fromarray(kept).save(file, "WEBP", lossless=True, method=_WEBP_EFFORT)
    return FaceCrop(file.getvalue(), spec.template)


def crop_again(crop: FaceCrop, spec: CropSpec) -> Pixels:
    """The crop that an embedder wants, uint8 (crop_px, crop_px, 3), out of a kept one.

    For the embedder that it was kept for, pixel for pixel what it saw. What another one wants beyond it is black.
    """
    with Image.open(io.BytesIO(crop.webp), formats=["WEBP"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    if kept_spec(spec) == CropSpec(width, crop.template):
        return middle(pixels, spec)
    face = DetectedFace(Box(0, 0, width, height), 1.0, np.array(crop.template, np.float32))
    return crop_face(Photograph(pixels, width, height, 1.0), face, spec)


def _margin_px(spec: CropSpec) -> int:
    return spec.crop_px // 8
