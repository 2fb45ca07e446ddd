"""A BMP's outline: a large one of the kind that Pillow decodes in Python is refused."""

import struct

import pytest
from PIL import Image

from app.errors import UnreadableImage
from app.faces.bmp import MAX_RUN_LENGTH_BYTES, check_outline
from app.faces.decode import ImageLimits, decode
from tests.conftest import encoded


def run_length_bmp(runs: bytes, side: int, compression: int = 1) -> bytes:
    """An 8-bit BMP of `side` squared whose pixels are the given runs."""
    start = 14 + 40 + 4 * 256
    header = b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, compression, len(runs), 2835, 2835, 256, 0)
    greys = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    return header + info + greys + runs


def test_a_small_one_is_decoded() -> None:
    white = run_length_bmp(b"\x40\xff\0\0" * 64 + b"\0\1", 64)
    assert decode(white, ImageLimits()).pixels.min() == 255


@pytest.mark.parametrize("compression", [1, 2])
def test_a_large_one_is_refused(compression: int) -> None:
    bomb = run_length_bmp(b"\1\xff" * (MAX_RUN_LENGTH_BYTES // 2), 5000, compression)
    with pytest.raises(UnreadableImage) as caught:
        decode(bomb, ImageLimits())
    assert caught.value.facts["max_run_length_bytes"] == MAX_RUN_LENGTH_BYTES


def test_a_large_one_of_plain_pixels_is_decoded(astronaut: Image.Image) -> None:
    plain = encoded(astronaut.resize((700, 700)), "BMP")
    assert len(plain) > MAX_RUN_LENGTH_BYTES
    assert decode(plain, ImageLimits()).pixels.shape == (700, 700, 3)


@pytest.mark.parametrize("data", [b"", b"BM", b"BM" + b"\1" * 20])
def test_an_outline_that_breaks_off_is_for_the_decoder_to_judge(data: bytes) -> None:
    check_outline(data)
