"""A PNG's outline: ordinary files pass, one of countless chunks is refused before Pillow walks over them."""

import time
import zlib

import pytest
from PIL import Image

from app.errors import UnreadableImage
from app.faces.decode import ImageLimits, decode
from app.faces.png import MAX_CHUNKS, MAX_COMPRESSED_CHUNKS, check_outline
from tests.conftest import encoded

END_OF_HEADER = 33  # signature and IHDR


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


@pytest.fixture(scope="module")
def picture(astronaut: Image.Image) -> bytes:
    return encoded(astronaut, "PNG")


def test_what_encoders_write_passes(picture: bytes) -> None:
    check_outline(picture)
    texts = chunk(b"tEXt", b"Comment\0hello") * 20
    assert decode(picture[:END_OF_HEADER] + texts + picture[END_OF_HEADER:], ImageLimits()).width == 512


@pytest.mark.parametrize("kind", [b"tEXt", b"IDAT", b"abCd"])
def test_a_picture_of_too_many_chunks_is_refused(picture: bytes, kind: bytes) -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode(picture[:END_OF_HEADER] + chunk(kind, b"") * MAX_CHUNKS + picture[END_OF_HEADER:], ImageLimits())
    assert caught.value.facts["max_chunks"] == MAX_CHUNKS


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("intact", [True, False], ids=["intact", "damaged"])
def test_a_picture_of_many_packed_chunks_is_refused_at_once(picture: bytes, kind: bytes, intact: bool) -> None:
    """Each of 1 KB is a megabyte unpacked, and what is damaged does not count to Pillow's own limit."""
    packed = zlib.compress(bytes(1_000_000))
    lead = b"x\0\1\0\0\0" if kind == b"iTXt" else b"x\0\0"
    body = lead + packed if intact else lead + packed[:-4] + bytes(4)
    one = chunk(kind, body)
    started = time.process_time()
    with pytest.raises(UnreadableImage) as caught:
        decode(picture[:END_OF_HEADER] + one * 3_000 + picture[END_OF_HEADER:], ImageLimits())
    assert caught.value.facts["max_compressed_chunks"] == MAX_COMPRESSED_CHUNKS
    assert time.process_time() - started < 1  # unpacking them takes six
    check_outline(picture[:END_OF_HEADER] + one * MAX_COMPRESSED_CHUNKS + picture[END_OF_HEADER:])


@pytest.mark.parametrize("length", [0, 8, 9, 20, END_OF_HEADER, 100])
def test_an_outline_that_breaks_off_is_for_the_decoder_to_judge(picture: bytes, length: int) -> None:
    check_outline(picture[:length])
    check_outline(picture[:8] + b"\xff" * length)


def test_another_format_is_not_looked_at() -> None:
    check_outline(b"\xff\xd8\xff" + chunk(b"tEXt", b"") * (MAX_CHUNKS + 1))
