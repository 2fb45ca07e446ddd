"""Bytes to pixels: upright RGB, with every limit enforced before a pixel is decoded."""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from app.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat

Pixels = NDArray[np.uint8]

# Pillow tries every plug-in it knows unless told otherwise; these are the contract's formats and no more.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")

# Pillow's own bomb guard is a process-wide setting and only warns up to twice its limit; ours is per call.
Image.MAX_IMAGE_PIXELS = None

_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Photograph:
    """A decoded photograph.

    `pixels` is uint8 (height, width, 3), RGB and upright. `scale` is decoded size / full size, 1.0 unless it was
    decoded reduced. `width` and `height` are the full upright size in pixels.
    """

    pixels: Pixels
    width: int
    height: int
    scale: float


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image may cost before it is decoded."""

    max_image_bytes: int = 10_000_000
    max_image_pixels: int = 25_000_000


def decode(data: bytes, limits: ImageLimits, *, draft_px: int | None = None) -> Photograph:
    """Decode one still image; an animation gives its first frame.

    `draft_px`: the photograph may be reduced by a whole factor as long as its longer side stays at or above this
    many pixels (a JPEG by 2, 4 or 8 while it is being decoded, which is cheap); None keeps every pixel.
    Raises ImageTooLarge, UnsupportedFormat or UnreadableImage.
    """
    if len(data) > limits.max_image_bytes:
        raise ImageTooLarge(
            f"the image has {len(data)} bytes; the limit is {limits.max_image_bytes}",
            image_bytes=len(data),
            max_image_bytes=limits.max_image_bytes,
        )
    # Pillow warns about odd metadata in files that it can read; a service's log is no place for them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _open(data) as image:
            return _decode_opened(image, limits, draft_px)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnsupportedFormat(
            f"these {len(data)} bytes are not an image in a format that is read ({', '.join(FORMATS)})",
            supported=list(FORMATS),
        ) from None
    except Exception as error:  # plug-ins raise anything from struct.error to MemoryError on hostile headers
        raise UnreadableImage(f"the image header is damaged: {error}") from error


def _decode_opened(image: Image.Image, limits: ImageLimits, draft_px: int | None) -> Photograph:
    width, height = image.size
    if width * height > limits.max_image_pixels:
        raise ImageTooLarge(
            f"the image has {width}x{height} pixels; the limit is {limits.max_image_pixels} in all",
            width=width,
            height=height,
            max_image_pixels=limits.max_image_pixels,
        )
    try:
        orientation = _orientation(image)
        if draft_px is not None:
            _draft(image, draft_px)
        rgb = _upright(_reduced(_to_rgb(image), draft_px), orientation)
    except Exception as error:  # see _open: whatever a decoder raises on these bytes, the bytes are at fault
        raise UnreadableImage(f"the image cannot be decoded: {error or type(error).__name__}") from error
    if orientation >= 5:
        width, height = height, width
    return Photograph(np.asarray(rgb), width, height, scale=max(rgb.size) / max(width, height))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8 (Exif 2.32, tag 0x0112); 1 where it is missing or nonsense."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block must not cost the photograph
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _draft(image: Image.Image, draft_px: int) -> None:
    longer = max(image.size)
    if image.format == "JPEG" and longer >= 2 * draft_px:
        # The decoder takes the largest reduction whose result is not below the size asked for.
        scale = draft_px / longer
        image.draft(image.mode, (int(image.width * scale), int(image.height * scale)))


def _reduced(image: Image.Image, draft_px: int | None) -> Image.Image:
    factor = 1 if draft_px is None else max(max(image.size) // draft_px, 1)
    return image if factor == 1 else image.reduce(factor)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB: 16-bit and float are scaled to 8 bits, transparency is laid on white."""
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(np.asarray(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_deep(values: NDArray[Any]) -> Image.Image:
    """16-bit, 32-bit and float greyscale to 8 bits; not-a-number is black."""
    deep = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = 255.0 if deep.max(initial=0.0) <= 255.0 else 65535.0
    if deep.max(initial=0.0) <= 1.0 and values.dtype.kind == "f":
        top = 1.0
    return Image.fromarray(np.clip(deep / top * 255.0, 0, 255).astype(np.uint8))


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)
