"""Headers that lie about the size of the picture."""

import random
import re
import struct
import zlib

from tests.fuzz.bases import WAYS, sound

_SIZES = (0, 1, 2, 7, 95, 97, 255, 4096, 5000, 25_000, 30_000, 65_535, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def size_lies(rng: random.Random) -> bytes:
    """Width and height that are not those of the pixels."""
    way = rng.randrange(len(WAYS))
    width, height = rng.choice(_SIZES), rng.choice(_SIZES)
    return _LIES[WAYS[way][0]](sound(way), width, height)


def _png(data: bytes, width: int, height: int) -> bytes:
    header = struct.pack(">II", width, height) + data[24:29]
    return data[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[33:]


def _jpeg(data: bytes, width: int, height: int) -> bytes:
    frame = re.search(rb"\xff[\xc0\xc2]..\x08", data, re.DOTALL)
    assert frame is not None
    size = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    return data[: frame.end()] + size + data[frame.end() + 4 :]


def _bmp(data: bytes, width: int, height: int) -> bytes:
    return data[:18] + struct.pack("<II", width, height) + data[26:]


def _tiff(data: bytes, width: int, height: int) -> bytes:
    changed = bytearray(data)
    for tag, size in ((256, width), (257, height)):
        for kind, layout in ((3, "<HHIHH"), (4, "<HHII")):
            found = data.find(struct.pack("<HHI", tag, kind, 1))
            if found >= 0:
                value = (size & 0xFFFF, 0) if kind == 3 else (size,)
                changed[found : found + 12] = struct.pack(layout, tag, kind, 1, *value)
    return bytes(changed)


def _webp(data: bytes, width: int, height: int) -> bytes:
    if data[12:16] == b"VP8 ":
        return data[:26] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + data[30:]
    bits = struct.unpack("<I", data[21:25])[0]
    packed = (width & 0x3FFF) | (height & 0x3FFF) << 14 | bits & 0xF0000000
    return data[:21] + struct.pack("<I", packed) + data[25:]


_LIES = {"PNG": _png, "JPEG": _jpeg, "BMP": _bmp, "TIFF": _tiff, "WEBP": _webp}
