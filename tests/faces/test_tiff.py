"""A TIFF's outline: ordinary files pass, one of countless strips is refused before Pillow makes an object of each."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from app.errors import ImageTooLarge, UnreadableImage
from app.faces.decode import ImageLimits, decode
from app.faces.tiff import MAX_STRIPS, check_outline
from tests.conftest import encoded

BYTE, LONG = 1, 4


def tiff_of_strips(side: int, strips: int, rows_per_strip: int, *, bits: int = 8, order: str = "<") -> bytes:
    """A grey picture of so many strips, all of them the same bytes; offsets of one byte each where there are many."""
    body = bytes(side * rows_per_strip * bits // 8)
    kind, form = (BYTE, "B") if strips > 1_000 else (LONG, "L")
    place = 8 + 2 + 9 * 12 + 4
    lists = len(body) + 2 * strips * struct.calcsize(f"={form}")
    offset = 200 if kind == BYTE else place
    values = [
        (256, LONG, 1, side), (257, LONG, 1, side), (258, LONG, 1, bits), (259, LONG, 1, 1), (262, LONG, 1, 1),
        (273, kind, strips, place + len(body)), (277, LONG, 1, 1), (278, LONG, 1, rows_per_strip),
        (279, kind, strips, place + len(body) + strips * struct.calcsize(f"={form}")),
    ]  # fmt: skip
    entries = b"".join(struct.pack(f"{order}HHII", *value) for value in values)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(values)) + entries + bytes(4)
    sizes = struct.pack(f"{order}{form}", min(len(body), 255) if kind == BYTE else len(body)) * strips
    data = head + body + struct.pack(f"{order}{form}", offset) * strips + sizes
    assert len(data) == place + lists
    return data


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_what_encoders_write_passes(mode: str, compression: str | None) -> None:
    picture = Image.new(mode, (300, 200)) if mode != "I;16" else Image.fromarray(np.zeros((200, 300), np.uint16))
    data = encoded(picture, "TIFF", compression=compression)
    check_outline(data)
    assert decode(data, ImageLimits()).pixels.shape == (200, 300, 3)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_picture_of_countless_strips_is_refused_at_once(order: str) -> None:
    started = time.process_time()
    with pytest.raises(UnreadableImage) as caught:
        decode(tiff_of_strips(100, 1_000_000, 1, order=order), ImageLimits())
    assert caught.value.facts == {"strips": 1_000_000, "max_strips": MAX_STRIPS}
    assert time.process_time() - started < 0.5  # Pillow takes six seconds


def test_big_tiff_has_longer_fields() -> None:
    entry = struct.pack("<HHQQ", 324, BYTE, MAX_STRIPS + 1, 16)
    data = b"II" + struct.pack("<HHHQ", 43, 8, 0, 16) + struct.pack("<Q", 1) + entry
    with pytest.raises(UnreadableImage, match="strips or tiles"):
        check_outline(data)
    check_outline(data.replace(struct.pack("<Q", MAX_STRIPS + 1), struct.pack("<Q", MAX_STRIPS)))


def test_strips_that_cover_the_picture_again_and_again_are_refused() -> None:
    """Every second one is nearly all of it, and each is decoded."""
    honest = tiff_of_strips(2_000, 2, 1_999, bits=8)
    assert decode(honest, ImageLimits()).pixels.shape == (2_000, 2_000, 3)
    with pytest.raises(ImageTooLarge) as caught:
        decode(tiff_of_strips(2_000, 200, 1_999, bits=8), ImageLimits())
    assert caught.value.facts["max_image_pixels"] == ImageLimits().max_image_pixels


def test_an_outline_that_breaks_off_is_for_the_decoder_to_judge() -> None:
    whole = encoded(Image.new("L", (64, 64)), "TIFF")
    for length in range(200):
        check_outline(whole[:length])
    check_outline(b"II*\0" + b"\xff" * 100)
    check_outline(b"MM\0*" + b"\xff" * 4)


def test_another_format_is_not_looked_at(portrait: bytes) -> None:
    check_outline(portrait)
    check_outline(io.BytesIO(b"II" + b"\xff" * 50).getvalue())
