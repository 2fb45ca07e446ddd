"""A JPEG's outline: ordinary files pass whatever they carry, bombs are refused before a pixel is decoded."""

import random
import time

import pytest
from PIL import Image

from app.errors import UnreadableImage
from app.faces.decode import ImageLimits, decode
from app.faces.jpeg import MAX_SCANS, MAX_SEGMENTS, MAX_STRAY_BYTES, check_outline
from tests.conftest import encoded

SCAN = b"\xff\xda"


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


@pytest.fixture(scope="module")
def progressive(astronaut: Image.Image) -> bytes:
    return encoded(astronaut, progressive=True)


def repeated(progressive: bytes, times: int) -> bytes:
    """The same photograph with its last scan written again and again."""
    last = progressive[progressive.rindex(SCAN) : -2]
    return progressive[:-2] + last * times + b"\xff\xd9"


def test_what_encoders_write_passes(astronaut: Image.Image, progressive: bytes) -> None:
    check_outline(progressive)
    check_outline(encoded(astronaut))
    check_outline(encoded(astronaut.convert("CMYK"), restart_marker_rows=1))
    assert decode(repeated(progressive, 20), ImageLimits()).pixels.shape == (512, 512, 3)


@pytest.mark.parametrize("draft_px", [None, 100])
def test_a_photograph_of_too_many_scans_is_refused(progressive: bytes, draft_px: int | None) -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode(repeated(progressive, MAX_SCANS), ImageLimits(), draft_px=draft_px)
    assert caught.value.facts["max_scans"] == MAX_SCANS


def test_a_photograph_of_too_many_segments_is_refused(portrait: bytes) -> None:
    exif = segment(0xE1, b"Exif\0\0x")
    with pytest.raises(UnreadableImage, match="segments"):
        decode(portrait[:2] + exif * MAX_SEGMENTS + portrait[2:], ImageLimits())


@pytest.mark.parametrize("stray", [b"\xff", b"\0", b"\xff\0", b"ab"], ids=["fill", "zeros", "stuffed", "text"])
@pytest.mark.parametrize("times", [MAX_STRAY_BYTES + 1, 4_000_000])
def test_what_is_strewn_between_segments_is_bounded(portrait: bytes, stray: bytes, times: int) -> None:
    with pytest.raises(UnreadableImage) as caught:
        check_outline(portrait[:2] + b"\xff\xfe\0\2" + stray * times + portrait[2:])
    assert caught.value.facts["max_stray_bytes"] == MAX_STRAY_BYTES


def test_a_little_between_segments_is_no_fault(portrait: bytes) -> None:
    padded = portrait[:2] + b"\xff" * 1000 + portrait[2:]
    assert decode(padded, ImageLimits()).pixels.shape == (512, 512, 3)


def test_segments_that_end_in_a_fill_byte_hide_no_marker(portrait: bytes) -> None:
    comment = segment(0xFE, b"\xff")
    with pytest.raises(UnreadableImage, match="segments"):
        check_outline(portrait[:2] + comment * MAX_SEGMENTS + portrait[2:])


@pytest.mark.parametrize("fill", [b"\xff" * 9_000_000, b"\xff\xff\0" * 3_000_000], ids=["one run", "many"])
def test_a_scan_of_fill_bytes_is_refused_at_once(portrait: bytes, fill: bytes) -> None:
    started = time.process_time()
    with pytest.raises(UnreadableImage) as caught:
        check_outline(portrait[:-2] + fill + portrait[-2:])
    assert caught.value.facts["max_stray_bytes"] == MAX_STRAY_BYTES
    assert time.process_time() - started < 2  # decoding it takes longer


@pytest.mark.parametrize(
    "walked",
    [
        b"\xff\xd9" + b"\xff" * 2_000_000,
        b"\xff\xd9" + b"\xff\xd8" * 1_000_000,
        b"\xff\xf0\xff\xff" * 500_000,
        b"\xff\xc8" * 1_000_000,
    ],
    ids=["fill behind an end", "beginnings", "JPG0", "JPG"],
)
def test_what_the_decoder_walks_over_before_the_first_scan_is_walked_over_here(walked: bytes) -> None:
    with pytest.raises(UnreadableImage):
        check_outline(b"\xff\xd8" + b"\xff\xfe\0\2" + walked)


def test_a_few_fill_bytes_in_a_scan_are_no_fault(progressive: bytes) -> None:
    padded = progressive.replace(SCAN, b"\xff" * 1000 + SCAN)
    assert decode(padded, ImageLimits()).pixels.shape == (512, 512, 3)


def test_a_scan_of_stuffed_bytes_is_walked_over_once(portrait: bytes) -> None:
    started = time.process_time()
    check_outline(portrait[:-2] + b"\xff\0" * 4_500_000)
    assert time.process_time() - started < 5


def test_scans_inside_a_segment_or_behind_the_end_do_not_count(portrait: bytes) -> None:
    thumbnails = segment(0xE5, SCAN * 30_000)
    film = SCAN * MAX_SCANS + random.Random(0).randbytes(1_000_000)  # as telephones append to a moving picture
    assert decode(portrait[:2] + thumbnails + portrait[2:] + film, ImageLimits()).pixels.shape == (512, 512, 3)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1", b"\xff\xd8\xff\xe1\xff\xff", b"\xff" * 99]
)
def test_an_outline_that_breaks_off_is_for_the_decoder_to_judge(data: bytes) -> None:
    check_outline(data)


def test_another_format_is_not_looked_at(astronaut: Image.Image) -> None:
    check_outline(encoded(astronaut, "PNG") + SCAN * (MAX_SCANS + 1))
