"""Formats that Pillow knows and the service does not read, whole, damaged, or by their first bytes alone."""

import functools
import io
import random

from PIL import Image

from tests.fuzz.bases import noise, portrait

_READ = {"JPEG", "PNG", "WEBP", "BMP", "TIFF"}
_MAGIC = (
    b"GIF87a",
    b"GIF89a",
    b"8BPS\0\1",
    b"\0\0\1\0\1\0",
    b"\0\0\2\0\1\0",
    b"icns",
    b"\x59\xa6\x6a\x95",
    b"SIMPLE  =",
    b"%!PS-Adobe-3.0 EPSF",
    b"%PDF-1.7",
    b"P6\n9 9\n255\n",
    b"P5 99999999 99999999 255\n",
    b"\x0a\x05\x01\x08",
    b"qoif\0\0\0\x10\0\0\0\x10\3\0",
    b"DDS \x7c\0\0\0",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x20ftypavif",
    b"\0\0\0\x20ftypheic",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL \r\n\x87\n",
    b"\xd7\xcd\xc6\x9a\0\0",
    b"\1\0\0\0",
    b"/* XPM */",
    b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {",
    b"\x0e\x03\x13\x01",
    b"\x89HDF\r\n\x1a\n",
    b"GRIB\0\0\0\1",
    b"BUFR\0\0\0\1",
    b"II*\0",
    b"MM\0*",
    b"II+\0\x08\0\0\0",
    b"II\xbc\1",
    b"BM",
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"RIFF\xff\xff\xff\xffWEBPVP8X",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    b"\xff\xd8\xff\xee",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
)


def not_read(rng: random.Random) -> bytes:
    """A sound file of another format, or one cut short."""
    data = _saved_elsewhere()[rng.randrange(len(_saved_elsewhere()))]
    return data if rng.random() < 0.6 else data[: rng.randrange(1, len(data))]


def magic(rng: random.Random) -> bytes:
    """The first bytes of any format, and then nothing or noise."""
    return rng.choice(_MAGIC) + noise(rng, rng.choice([0, 1, 4, 16, 64, 300, 4_000]))


@functools.cache
def _saved_elsewhere() -> tuple[bytes, ...]:
    """The face in every other format that Pillow can write, in one of the modes that it takes there."""
    Image.init()
    found = []
    for image_format in sorted(set(Image.SAVE) - _READ):
        for mode in ("RGB", "P", "L", "1", "F"):
            buffer = io.BytesIO()
            try:
                portrait().convert(mode).save(buffer, image_format)
            except Exception:  # not of this mode, or written by another program that is not here
                continue
            found.append(buffer.getvalue())
            break
    return tuple(data for data in found if data)
