"""Sound images that the rest of the corpus is made of: one face, in every format that is read."""

import functools
import io
import random
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import skimage.data
from PIL import Image

# Formats with the options that make their files different inside.
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("JPEG", {"quality": 80}),
    ("JPEG", {"quality": 60, "progressive": True}),
    ("JPEG", {"quality": 30, "optimize": True, "restart_marker_blocks": 4}),
    ("PNG", {}),
    ("PNG", {"compress_level": 0}),
    ("WEBP", {"quality": 70}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", {"compression": "jpeg"}),
    ("TIFF", {"compression": "packbits"}),
)


@functools.cache
def portrait(side_px: int = 96) -> Image.Image:
    """A face that fills most of the picture; NASA's portrait of Eileen Collins."""
    face = Image.fromarray(skimage.data.astronaut()[40:210, 140:310])
    return face.resize((side_px, side_px), Image.Resampling.BICUBIC)


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@functools.cache
def sound(way: int) -> bytes:
    """The face saved in one of WAYS."""
    image_format, options = WAYS[way]
    return saved(portrait(), image_format, **options)


def any_sound(rng: random.Random) -> bytes:
    """One of them."""
    return sound(rng.randrange(len(WAYS)))


def png_chunk(kind: bytes, content: bytes, *, crc: int | None = None) -> bytes:
    """A chunk of a PNG, by default with the right checksum."""
    checksum = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(*chunks: bytes) -> bytes:
    """Chunks as a PNG."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_header(width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """The first chunk."""
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG with its length."""
    return bytes([0xFF, marker]) + struct.pack(">H", min(len(content) + 2, 0xFFFF)) + content


def with_jpeg_segments(jpeg: bytes, segments: Iterable[bytes]) -> bytes:
    """A JPEG with segments after its first two bytes."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def tiff(entries: Iterable[tuple[int, int, int, bytes]], *, data: bytes = b"", next_ifd: int = 0) -> bytes:
    """A little-endian TIFF of one directory: tag, type, count and the four bytes of value or offset; then `data`."""
    rows = [struct.pack("<HHI", tag, kind, count) + value[:4].ljust(4, b"\0") for tag, kind, count, value in entries]
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", next_ifd)
    return b"II*\0" + struct.pack("<I", 8) + directory + data


def noise(rng: random.Random, count: int) -> bytes:
    """Random bytes."""
    return rng.randbytes(count)
