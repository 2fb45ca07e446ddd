"""Bytes to pixels: upright RGB, with every limit enforced before a pixel is decoded."""

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from app.errors import ImageTooLarge, UnreadableImage, UnsupportedFormat
from app.faces import bmp, jpeg, png, tiff

Pixels = NDArray[np.uint8]

# Pillow tries every plug-in it knows unless told otherwise; these are the contract's formats and no more.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")

# Pillow's own bomb guard is a process-wide setting and only warns up to twice its limit; ours is per call.
Image.MAX_IMAGE_PIXELS = None

# Pillow warns about odd metadata in files that it can read; a service's log is no place for them. For the whole
# process, once: `warnings.catch_warnings` is not safe among threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

_EXIF_ORIENTATION = 0x0112
_TIFF_TILE_WIDTH, _TIFF_TILE_LENGTH = 322, 323
_TIFF_BANDS = 5  # at most, where each colour is stored on its own: so often is a picture decoded


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
    with _open(data) as image:
        return _decode_opened(image, limits, draft_px)


def _open(data: bytes) -> Image.Image:
    for outline in (bmp, jpeg, png, tiff):
        outline.check_outline(data)
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except Exception as error:  # plug-ins raise anything from struct.error to MemoryError on hostile headers
        raise UnreadableImage(f"the image header is damaged: {error}") from error


def _unidentified(data: bytes) -> UnreadableImage | UnsupportedFormat:
    """Pillow gives up in the same way on other formats and on a header that breaks off."""
    for name in FORMATS:
        _, accepts = Image.OPEN[name]
        if accepts is not None and accepts(data[:16]) is True:
            return UnreadableImage(f"these {len(data)} bytes begin like {name}, but the header is damaged")
    return UnsupportedFormat(
        f"these {len(data)} bytes are not an image in a format that is read ({', '.join(FORMATS)})",
        supported=list(FORMATS),
    )


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
        _check_tiles(image, limits)
        reduction = _draft(image, draft_px)
        image.load()
        # After loading: Pillow has turned a TIFF by then and forgotten its orientation, and nothing else.
        orientation = _orientation(image)
        factor = 1 if draft_px is None else max(max(image.size) // draft_px, 1)
        rgb = _upright(_reduced(_to_rgb(image), factor), orientation)
    except ImageTooLarge:
        raise
    except Exception as error:  # see _open: whatever a decoder raises on these bytes, the bytes are at fault
        raise UnreadableImage(f"the image cannot be decoded: {error or type(error).__name__}") from error
    if orientation >= 5:
        width, height = height, width
    return Photograph(np.asarray(rgb), width, height, scale=1.0 / (reduction * factor))


def _check_tiles(image: Image.Image, limits: ImageLimits) -> None:
    """Raise ImageTooLarge for a TIFF of huge tiles: each is decoded whole, however little of it the image shows.

    And for one of strips that cover the picture many times, since each of them is decoded.
    """
    covered = sum((right - left) * (bottom - top) for _, (left, top, right, bottom), *_ in getattr(image, "tile", []))
    if covered > _TIFF_BANDS * limits.max_image_pixels:
        raise ImageTooLarge(
            f"the strips of this TIFF cover {covered} pixels; {_TIFF_BANDS} times the limit of "
            f"{limits.max_image_pixels} are allowed",
            covered_pixels=covered,
            max_image_pixels=limits.max_image_pixels,
        )
    tags = getattr(image, "tag_v2", {})
    if _TIFF_TILE_WIDTH not in tags or _TIFF_TILE_LENGTH not in tags:
        return
    width, height = int(tags[_TIFF_TILE_WIDTH]), int(tags[_TIFF_TILE_LENGTH])
    pixels = width * height * math.ceil(image.width / width) * math.ceil(image.height / height)
    if pixels > 2 * limits.max_image_pixels:  # tiles at the edges stand out over honest images too
        raise ImageTooLarge(
            f"the tiles of this TIFF cover {pixels} pixels; twice the limit of {limits.max_image_pixels} are allowed",
            tiled_pixels=pixels,
            max_image_pixels=limits.max_image_pixels,
        )


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8 (Exif 2.32, tag 0x0112); 1 where it is missing or nonsense."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block must not cost the photograph
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _draft(image: Image.Image, draft_px: int | None) -> int:
    """Let a JPEG decode reduced, and say by which factor: the largest that keeps `draft_px`."""
    longer = max(image.size)
    if draft_px is None or image.format != "JPEG" or longer < 2 * draft_px:
        return 1
    factor = next(factor for factor in (8, 4, 2) if longer >= factor * draft_px)
    image.draft(image.mode, (image.width // factor, image.height // factor))
    return round(longer / max(image.size))


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    return image if factor == 1 else image.reduce(factor)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB: 16-bit and float are scaled to 8 bits, transparency is laid on white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        return _from_deep(np.asarray(image)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep(values: NDArray[Any]) -> Image.Image:
    """32-bit integers and floats to 8 bits, black where not a number.

    Nothing in such a file says what white is: it is taken to be the least of 1 (floats alone), 255 and 65535 that
    no value exceeds, else the largest value.
    """
    deep = np.where(np.isfinite(values), values, 0).astype(np.float32)
    largest = float(deep.max(initial=0.0))
    whites = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    white = next((white for white in whites if largest <= white), largest)
    return Image.fromarray(np.rint(np.clip(deep * (255.0 / white), 0, 255)).astype(np.uint8))


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
