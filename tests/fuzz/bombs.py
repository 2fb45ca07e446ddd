"""Small files that want much memory or time."""

import functools
import random
import re
import struct
import zlib

from PIL import Image

from tests.fuzz.bases import (
    jpeg_segment,
    png,
    png_chunk,
    png_header,
    portrait,
    saved,
    sound,
    tiff,
    with_jpeg_segments,
)


def bomb(rng: random.Random) -> bytes:
    """One of the bombs, cut or changed a little half of the time."""
    data = rng.choice(_BOMBS)(rng.randrange(3))
    if rng.random() < 0.5:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def long_and_thin(rng: random.Random) -> bytes:
    """30000 x 1 and the like, up to what the format can say."""
    long, short = rng.choice([(30_000, 1), (65_000, 1), (16_000, 2), (30_000, 30), (1_000_000, 1), (12_000, 12)])
    image_format = rng.choice(["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
    if image_format == "JPEG":
        long = min(long, 65_000)
    if image_format == "WEBP":
        long = min(long, 16_000)
    return _thin(image_format, *((long, short) if rng.random() < 0.5 else (short, long)))


@functools.cache
def _thin(image_format: str, width: int, height: int) -> bytes:
    return saved(portrait().resize((width, height)), image_format)


@functools.cache
def _png_of_pixels(which: int) -> bytes:
    """As many pixels as are allowed, more, and far more, all black."""
    side = (4_900, 6_000, 9_000)[which]
    return saved(Image.new("L", (side, side)), "PNG", compress_level=5)


@functools.cache
def _png_that_claims(which: int) -> bytes:
    side = (30_000, 100_000, 2**31 - 1)[which]
    return png(png_header(side, side), png_chunk(b"IDAT", zlib.compress(bytes(1_000_000))), png_chunk(b"IEND", b""))


@functools.cache
def _png_whose_data_never_ends(which: int) -> bytes:
    """A hundred pixels, and 50 MB of zeros where their rows should be."""
    data = zlib.compress(bytes((10, 30, 50)[which] * 1_000_000), 5)
    return png(png_header(10, 10), png_chunk(b"IDAT", data), png_chunk(b"IEND", b""))


@functools.cache
def _png_text(which: int) -> bytes:
    """Compressed text or a compressed profile of tens of megabytes."""
    zeros = zlib.compress(bytes(40_000_000), 5)
    kind, content = (
        (b"zTXt", b"a\0\0" + zeros),
        (b"iCCP", b"a\0\0" + zeros),
        (b"iTXt", b"a\0\1\0\0\0" + zeros),
    )[which]
    base = sound(3)
    return base[:33] + png_chunk(kind, content) * 3 + base[33:]


@functools.cache
def _png_of_chunks(which: int) -> bytes:
    kind = (b"tEXt", b"IDAT", b"abCD")[which]
    base = sound(3)
    return base[:33] + png_chunk(kind, b"a\0b" if which != 1 else b"") * 60_000 + base[33:]


@functools.cache
def _jpeg_of_scans(which: int) -> bytes:
    """The scans of a progressive file again and again, each a walk over every pixel."""
    base = saved(portrait().resize((1_500, 1_500)), "JPEG", quality=10, progressive=True)
    last = base.rindex(b"\xff\xda")
    return base[:-2] + base[last:-2] * (90, 110, 2_000)[which] + base[-2:]


@functools.cache
def _jpeg_of_segments(which: int) -> bytes:
    marker = (0xE1, 0xFE, 0xED)[which]
    return with_jpeg_segments(sound(0), [jpeg_segment(marker, bytes(20))] * 20_000)


@functools.cache
def _jpeg_of_pixels(which: int) -> bytes:
    side = (4_900, 5_100, 9_000)[which]
    return saved(Image.new("L", (side, side), 128), "JPEG", quality=1)


@functools.cache
def _jpeg_of_odd_sampling(which: int) -> bytes:
    base = sound(0)
    frame = re.search(rb"\xff\xc0", base)
    assert frame is not None
    at = frame.start() + 11
    return base[:at] + bytes([(0x44, 0xF1, 0x00)[which]]) + base[at + 1 :]


@functools.cache
def _tiff_of_pixels(which: int) -> bytes:
    side = (4_900, 5_100, 8_000)[which]
    return saved(Image.new("L", (side, side)), "TIFF", compression="tiff_adobe_deflate")


@functools.cache
def _tiff_of_tiles(which: int) -> bytes:
    """A small picture in one huge tile."""
    tile = (4_096, 20_000, 2**31 - 16)[which]
    data = zlib.compress(bytes(5_000_000), 5)
    entries = _tiff_entries(100, 100, compression=8)
    place = 8 + 2 + 12 * (len(entries) + 4) + 4
    tiles = [
        (322, 4, 1, struct.pack("<I", tile)),
        (323, 4, 1, struct.pack("<I", tile)),
        (324, 4, 1, struct.pack("<I", place)),
        (325, 4, 1, struct.pack("<I", len(data))),
    ]
    return tiff([*entries, *tiles], data=data)


@functools.cache
def _tiff_of_strips(which: int) -> bytes:
    """More strips than rows, or counts that lie far outside the file."""
    count = (100_001, 2**28, 2**32 - 1)[which]
    entries = _tiff_entries(1_000, 1_000)
    return tiff([*entries, (273, 4, count, struct.pack("<I", 200)), (279, 4, count, struct.pack("<I", 200))])


@functools.cache
def _tiff_that_loops(which: int) -> bytes:
    """A directory that is its own next one, or of tags that never end."""
    entries = _tiff_entries(64, 64)
    if which == 0:
        return tiff(entries, data=bytes(20_000), next_ifd=8)
    return tiff(entries * (100, 5_000)[which - 1], data=bytes(20_000), next_ifd=8)


@functools.cache
def _webp_of_frames(which: int) -> bytes:
    frames = [Image.new("L", (16, 16), value % 256).convert("RGB") for value in range((100, 400, 800)[which])]
    return saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)


def _tiff_entries(width: int, height: int, compression: int = 1) -> list[tuple[int, int, int, bytes]]:
    """Sorted, of one byte a pixel; strips are the caller's."""
    values = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 277: 1, 278: height}
    return [(tag, 4, 1, struct.pack("<I", value)) for tag, value in values.items()]


_BOMBS = (
    _png_of_pixels,
    _png_that_claims,
    _png_whose_data_never_ends,
    _png_text,
    _png_of_chunks,
    _jpeg_of_scans,
    _jpeg_of_segments,
    _jpeg_of_pixels,
    _jpeg_of_odd_sampling,
    _tiff_of_pixels,
    _tiff_of_tiles,
    _tiff_of_strips,
    _tiff_that_loops,
    _webp_of_frames,
)
