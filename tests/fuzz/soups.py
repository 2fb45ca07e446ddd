"""The grammar of each format with random words: what a decoder sees that trusts what it reads."""

import random
import struct
import zlib

from tests.fuzz import bases
from tests.fuzz.bases import jpeg_segment, noise, png_chunk, png_header, sound

_TAGS = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 284, 317, 320, 322, 323, 324, 325, 330)
_MORE_TAGS = (338, 339, 347, 513, 514, 529, 530, 700, 34_675, 34_665, 65_000)
_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 100, 255, 256, 65_535, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def tiff(rng: random.Random) -> bytes:
    """A directory of likely tags with unlikely values."""
    plain = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: 64, 279: 4096}
    entries = []
    for tag in sorted({*plain, *rng.sample(_TAGS + _MORE_TAGS, 8)}):
        sane = tag in plain and rng.random() < 0.8
        kind = 4 if sane else rng.randrange(0, 14)
        count = 1 if sane else rng.choice((1, 1, 1, *_NUMBERS))
        value = plain[tag] if sane else rng.choice(_NUMBERS)
        entries.append((tag, kind, count, struct.pack("<I", value)))
    return bases.tiff(entries, data=noise(rng, 5_000), next_ifd=rng.choice([0, 0, 8, 2**31]))


def png(rng: random.Random) -> bytes:
    """Chunks with the right checksums in any order, of any content."""
    width, height = rng.randrange(1, 64), rng.randrange(1, 64)
    depth, colour = rng.choice([1, 2, 4, 8, 16, 3]), rng.choice([0, 2, 3, 4, 6, 1, 7])
    rows = zlib.compress(noise(rng, rng.randrange(1, 9 * width * height + 2)))
    chunks = [
        png_chunk(b"PLTE", noise(rng, 3 * rng.randrange(257))),
        png_chunk(b"tRNS", noise(rng, rng.randrange(300))),
        png_chunk(b"IDAT", rows[: rng.randrange(1, len(rows) + 1)]),
        png_chunk(b"IDAT", rows),
        png_chunk(b"acTL", noise(rng, 8)),
        png_chunk(b"fcTL", noise(rng, 26)),
        png_chunk(b"fdAT", noise(rng, 30)),
    ]
    rng.shuffle(chunks)
    header = png_header(width, height, depth, colour, rng.choice([0, 0, 1, 2]))
    return bases.png(header, *chunks[: rng.randrange(1, 8)], png_chunk(b"IEND", b""))


def jpeg(rng: random.Random) -> bytes:
    """Segments of a sound file, shuffled, doubled and left out, with markers that do not belong."""
    base = sound(rng.choice([0, 1, 2]))
    segments, position = [], 2
    while base[position + 1] != 0xDA:
        length = struct.unpack(">H", base[position + 2 : position + 4])[0]
        segments.append(base[position : position + 2 + length])
        position += 2 + length
    for _ in range(rng.randrange(1, 4)):
        change = rng.randrange(4)
        at = rng.randrange(len(segments))
        if change == 0:
            rng.shuffle(segments)
        elif change == 1:
            segments.append(segments[at])
        elif change == 2 and len(segments) > 1:
            segments.pop(at)
        else:
            segments.insert(at, jpeg_segment(rng.randrange(0x01, 0xFF), noise(rng, rng.randrange(100))))
    return b"\xff\xd8" + b"".join(segments) + base[position:]


def riff_or_bmp(rng: random.Random) -> bytes:
    """Chunks of WebP in any order, or a bitmap whose header says anything."""
    if rng.random() < 0.5:
        kinds = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "]
        body = sound(rng.choice([5, 6]))[12:]
        for _ in range(rng.randrange(1, 5)):
            content = noise(rng, rng.randrange(60))
            chunk = rng.choice(kinds) + struct.pack("<I", rng.choice([len(content), 0, 2**32 - 1])) + content
            body = chunk + body if rng.random() < 0.5 else body + chunk
        return b"RIFF" + struct.pack("<I", rng.choice([len(body) + 4, 0, 2**32 - 2])) + b"WEBP" + body
    header = struct.pack(
        "<IiiHHIIiiII",
        rng.choice([12, 40, 40, 40, 64, 108, 124, 2**31]),
        rng.choice([64, -64, 0, 2**31 - 1]),
        rng.choice([64, -64, 0, -(2**31)]),
        rng.choice([1, 1, 0, 65_535]),
        rng.choice([1, 4, 8, 16, 24, 32, 0, 33]),
        rng.choice([0, 0, 1, 2, 3, 4, 5, 99]),
        rng.choice([0, 4096, 2**32 - 1]),
        2835,
        2835,
        rng.choice([0, 2, 256, 2**32 - 1]),
        0,
    )
    offset = rng.choice([54, 54, 0, 14, 2**31])
    return b"BM" + struct.pack("<IHHI", 5_000, 0, 0, offset) + header + noise(rng, 5_000)
