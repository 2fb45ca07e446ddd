"""Bytes to upright RGB: every mode and orientation, every limit before a pixel is decoded."""

import io
import random
import resource
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from app.errors import BadInput, ImageTooLarge, UnreadableImage, UnsupportedFormat
from app.faces.decode import ImageLimits, decode
from tests.conftest import encoded

LIMITS = ImageLimits()


def corners(pixels: np.ndarray) -> list[str]:
    """Colour names of the corners: top left, top right, bottom left, bottom right."""
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    spots = [pixels[5, 5], pixels[5, -6], pixels[-6, 5], pixels[-6, -6]]
    return [names[tuple((spot > 127).astype(int))] for spot in spots]


@pytest.fixture(scope="module")
def quarters() -> Image.Image:
    """60 x 40: red, green above blue, white."""
    image = Image.new("RGB", (60, 40))
    for colour, place in {"red": (0, 0), "green": (30, 0), "blue": (0, 20), "white": (30, 20)}.items():
        image.paste(colour, (*place, place[0] + 30, place[1] + 20))
    return image


# What a camera stores so that turning it by the EXIF value gives `quarters` (Exif 2.32, 4.6.4, tag 274).
STORED = {
    1: lambda im: im,
    2: lambda im: im.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda im: im.transpose(Image.Transpose.ROTATE_180),
    4: lambda im: im.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda im: im.transpose(Image.Transpose.TRANSPOSE),
    6: lambda im: im.transpose(Image.Transpose.ROTATE_90),
    7: lambda im: im.transpose(Image.Transpose.TRANSVERSE),
    8: lambda im: im.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_comes_out_upright(quarters: Image.Image, orientation: int, image_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if image_format in ("JPEG", "WEBP") else {}
    stored = STORED[orientation](quarters)
    found = decode(encoded(stored, image_format, exif=exif, **options), LIMITS)
    assert (found.width, found.height) == (60, 40)
    assert found.pixels.shape == (40, 60, 3)
    assert corners(found.pixels) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_photograph_keeps_its_full_size_in_mind(quarters: Image.Image, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = STORED[orientation](quarters.resize((2400, 1600)))
    for image_format in ("JPEG", "PNG"):
        found = decode(encoded(large, image_format, exif=exif), LIMITS, draft_px=500)
        assert (found.width, found.height) == (2400, 1600)
        assert found.pixels.shape[:2] == (400, 600)
        assert found.scale == 0.25
        assert corners(found.pixels) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_nonsense_orientation_is_none(quarters: Image.Image, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert corners(decode(encoded(quarters, exif=exif), LIMITS).pixels) == ["red", "green", "blue", "white"]


def test_odd_metadata_neither_costs_the_orientation_nor_speaks_up_in_the_log(quarters: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 40
    data = encoded(STORED[6](quarters), exif=exif.tobytes().replace(b"x" * 40 + b"\0", b""))
    script = "import sys; from app.faces.decode import *; print(decode(sys.stdin.buffer.read(), ImageLimits()).width)"
    command = [sys.executable, "-W", "default", "-c", script]
    result = subprocess.run(command, input=data, capture_output=True, check=True)
    assert (int(result.stdout), result.stderr) == (60, b"")
    with pytest.warns(UserWarning, match="Tag data"):
        Image.open(io.BytesIO(data)).getexif()


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("1", "PNG"), ("RGBA", "WEBP"),
     ("CMYK", "TIFF"), ("LAB", "TIFF"), ("YCbCr", "TIFF"), ("P", "BMP")],
)  # fmt: skip
def test_every_mode_becomes_rgb(astronaut: Image.Image, mode: str, image_format: str) -> None:
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.applyTransform(astronaut, ImageCms.buildTransform(*profiles, inMode="RGB", outMode="LAB"))
    else:
        image = astronaut.convert(mode)
    pixels = decode(encoded(image, image_format), LIMITS).pixels
    grey = np.asarray(astronaut.convert("L")).astype(float)
    assert pixels.shape == (512, 512, 3)
    assert np.corrcoef(pixels.mean(2).ravel(), grey.ravel())[0, 1] > (0.6 if mode == "1" else 0.95)


def test_sixteen_bits_lose_their_lower_half_and_a_dark_photograph_stays_dark() -> None:
    deep = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    for values in (deep, deep // 16):
        pixels = decode(encoded(Image.fromarray(values), "PNG"), LIMITS).pixels
        assert np.abs(pixels[..., 0].astype(int) - values.astype(int) // 257).max() <= 1


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (decode(encoded(clear, "PNG"), LIMITS).pixels == 255).all()


def test_floats_that_are_no_numbers_do_not_matter() -> None:
    values = np.full((20, 20), 0.5, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    pixels = decode(encoded(Image.fromarray(values), "TIFF"), LIMITS).pixels
    assert pixels.shape == (20, 20, 3)
    assert pixels[0, :4, 0].tolist() == [0, 0, 0, 128]


@pytest.mark.parametrize(
    ("dtype", "white"),
    [(np.float32, 1), (np.float32, 255), (np.float32, 65535), (np.float32, 1e6), (np.int32, 255), (np.int32, 65535),
     (np.int32, 2**30)],
)  # fmt: skip
def test_what_does_not_say_its_white_is_taken_to_reach_the_next_usual_one(dtype: type, white: float) -> None:
    values = np.array([[0, white / 5, white]] * 9).astype(dtype)
    pixels = decode(encoded(Image.fromarray(values), "TIFF"), LIMITS).pixels
    assert pixels[0, :, 0].tolist() == [0, 51, 255]


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert decode(data, LIMITS).pixels[10, 10].tolist() == [255, 0, 0]


def test_a_file_of_several_photographs_gives_the_first() -> None:
    for image_format in ("MPO", "TIFF"):
        first, second = Image.new("RGB", (30, 20), "red"), Image.new("RGB", (30, 20), "blue")
        pixels = decode(encoded(first, image_format, save_all=True, append_images=[second]), LIMITS).pixels
        assert pixels[10, 10, 0] > 250 > 5 > pixels[10, 10, 2]


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(2003, 1301), (1021, 3999), (960, 959), (7691, 500)])
def test_the_scale_takes_pixels_of_a_reduced_photograph_to_those_of_the_full_one(
    image_format: str, size: tuple[int, int]
) -> None:
    width, height = size
    spot = (width - 160, height - 160, width - 96, height - 96)
    image = Image.new("RGB", size)
    image.paste("white", spot)
    reduced = decode(encoded(image, image_format, quality=95), LIMITS, draft_px=480)
    assert max(reduced.pixels.shape) >= 480
    rows, columns = np.nonzero(reduced.pixels[..., 1] > 127)
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / reduced.scale
    assert np.abs(found - spot).max() <= 0.5 / reduced.scale


def test_one_pixel_is_a_photograph() -> None:
    assert decode(encoded(Image.new("RGB", (1, 1)), "PNG"), LIMITS).pixels.shape == (1, 1, 3)


def test_too_many_bytes_are_refused_with_both_numbers(portrait: bytes) -> None:
    with pytest.raises(ImageTooLarge) as caught:
        decode(portrait, ImageLimits(max_image_bytes=1000))
    assert caught.value.facts == {"image_bytes": len(portrait), "max_image_bytes": 1000}


def png_of(width: int, height: int, rows: bytes) -> bytes:
    """A PNG that claims a size, made by hand."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    # Its pixel data is rubbish: had it been looked at, the error would be another one.
    bomb = png_of(50_000, 50_000, b"not even zlib")
    with pytest.raises(ImageTooLarge) as caught:
        decode(bomb, LIMITS)
    assert caught.value.facts["max_image_pixels"] == 25_000_000


def test_a_genuine_bomb_costs_neither_time_nor_memory() -> None:
    compressor = zlib.compressobj(9)
    rows = b"".join(compressor.compress(bytes(10_000_000)) for _ in range(8)) + compressor.flush()  # 5,200 rows
    bomb = png_of(5100, 5100, rows)
    assert len(bomb) < 100_000
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageTooLarge) as caught:
        decode(bomb, LIMITS)
    assert (caught.value.facts["width"], caught.value.facts["height"]) == (5100, 5100)
    assert time.process_time() - started < 0.1  # decoding it takes half a second
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # of 78 MB


def tiled_tiff(side: int, tile: int) -> bytes:
    """A grey TIFF, little endian, made by hand: one deflated tile that holds nothing but zeros."""
    body = zlib.compress(bytes(min(tile * tile, 1_000_000)))
    shorts_and_longs = [
        (256, side), (257, side), (258, 8), (259, 8), (262, 1), (277, 1), (322, tile), (323, tile),
        (324, 8 + 2 + 10 * 12 + 4), (325, len(body)),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in shorts_and_longs)
    return b"II*\0" + struct.pack("<IH", 8, len(shorts_and_longs)) + entries + bytes(4) + body


def test_a_tiff_of_huge_tiles_is_refused_however_small_the_photograph() -> None:
    assert decode(tiled_tiff(64, 64), LIMITS).pixels.shape == (64, 64, 3)
    with pytest.raises(ImageTooLarge) as caught:
        decode(tiled_tiff(64, 40_000), LIMITS)
    assert caught.value.facts["tiled_pixels"] == 1_600_000_000


def test_a_tiff_of_empty_tiles_is_unreadable() -> None:
    with pytest.raises(UnreadableImage):
        decode(tiled_tiff(64, 0), LIMITS)


@pytest.mark.parametrize(("image_format", "size"), [("JPEG", 100), ("PNG", 20), ("WEBP", 20), ("BMP", 20), ("TIFF", 9)])
def test_a_header_that_breaks_off_is_damaged_and_not_foreign(
    astronaut: Image.Image, image_format: str, size: int
) -> None:
    with pytest.raises(UnreadableImage, match=r"damaged|decoded"):
        decode(encoded(astronaut, image_format)[:size], LIMITS)


def test_truncated_photographs_are_refused_in_the_whole_process() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_photograph_is_unreadable(astronaut: Image.Image, image_format: str, share: float) -> None:
    data = encoded(astronaut, image_format)
    with pytest.raises(UnreadableImage):
        decode(data[: int(len(data) * share)], LIMITS)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.jpg", b"x" * 1000)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"hello", random.Random(0).randbytes(5000), archive(), b"<svg xmlns='http://www.w3.org/2000/svg'/>",
     encoded(Image.new("RGB", (9, 9)), "GIF"), encoded(Image.new("RGB", (9, 9)), "PPM")],
    ids=["empty", "nul", "text", "random", "zip", "svg", "gif", "ppm"],
)  # fmt: skip
def test_what_is_no_photograph_of_a_format_that_is_read_is_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        decode(data, LIMITS)
    assert "JPEG" in caught.value.facts["supported"]


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_damaged_bytes_give_a_photograph_or_say_that_they_are_damaged(image_format: str) -> None:
    rng = random.Random(image_format)
    whole = encoded(Image.effect_noise((40, 30), 60).convert("RGB"), image_format)
    outcomes = set()
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 12)):
            position = rng.randrange(min(len(data), rng.choice([60, 600, 10**6])))
            data[position : position + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        try:
            pixels = decode(bytes(data), ImageLimits(max_image_pixels=1_000_000)).pixels
            outcomes.add(pixels.shape[2])
        except BadInput as error:
            outcomes.add(error.code)
    assert outcomes <= {3, "unreadable_image", "unsupported_format", "image_too_large"}
    assert len(outcomes) > 1
