"""The corpus: any number of images, each made again from its seed and number alone."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz import bombs, damage, formats, headers, metadata, modes, oddities, polyglots, soups

Make = Callable[[random.Random], bytes]

# Every kind has an equal share of the corpus.
KINDS: dict[str, Make] = {
    "truncated": damage.truncated,
    "truncated in its head": damage.truncated_head,
    "bits flipped": damage.bits_flipped,
    "bytes rewritten": damage.bytes_rewritten,
    "pieces cut, doubled or moved": damage.pieces_moved,
    "size in the header": headers.size_lies,
    "bomb": bombs.bomb,
    "long and thin": bombs.long_and_thin,
    "EXIF lies": metadata.exif_lies,
    "colour profile": metadata.colour_profile,
    "text and other chunks": metadata.extra_chunks,
    "mode of pixels": modes.odd_mode,
    "deep TIFF": modes.deep_tiff,
    "animation": oddities.animation,
    "tiny": oddities.tiny,
    "odd but valid": oddities.valid,
    "format that is not read": formats.not_read,
    "magic of any format": formats.magic,
    "polyglot": polyglots.polyglot,
    "no image at all": polyglots.no_image,
    "TIFF soup": soups.tiff,
    "PNG soup": soups.png,
    "JPEG soup": soups.jpeg,
    "WebP and BMP soup": soups.riff_or_bmp,
}

_FILENAMES = (
    "photograph.jpg",
    "photograph.png",
    "photograph.gif",
    "photograph",
    "",
    "../../etc/passwd",
    "a\\..\\b.jpg",
    "a" * 300 + ".jpg",
    "фото.jpg",
    'quote".jpg',
    "nul\x00.jpg",
    "shell.php;.jpg",
    ".jpg",
)
_CONTENT_TYPES = ("image/jpeg", "image/png", "image/gif", "application/octet-stream", "text/html", "nonsense", "")


@dataclass(frozen=True)
class Case:
    """An image as it is sent; name and content type need not fit the bytes."""

    number: int
    kind: str
    data: bytes
    filename: str
    content_type: str
    as_base64: bool


def case(seed: int, number: int) -> Case:
    """One image of a corpus, always the same."""
    kind = list(KINDS)[number % len(KINDS)]
    rng = random.Random(f"{seed}/{number}")
    data = KINDS[kind](rng)
    return Case(
        number,
        kind,
        data,
        filename=rng.choice(_FILENAMES),
        content_type=rng.choice(_CONTENT_TYPES),
        as_base64=rng.random() < 0.25,
    )
