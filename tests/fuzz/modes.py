"""Every way of writing a pixel: one bit to 64, ink instead of light, palettes, and numbers that are none."""

import random
import struct

import numpy as np
from PIL import Image

from tests.fuzz.bases import portrait, saved

_MODES = {
    "JPEG": ["L", "RGB", "CMYK", "YCbCr"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "WEBP": ["L", "RGB", "RGBA", "P", "LA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16", "I;16B"],
}
_NUMBERS = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-40, 1.0, 255.0, 65_535.0, 3e38)


def odd_mode(rng: random.Random) -> bytes:
    """The face in any mode of any format."""
    image_format = rng.choice(list(_MODES))
    mode = rng.choice(_MODES[image_format])
    options = {"transparency": rng.randrange(256)} if image_format == "PNG" and mode in ("P", "L") else {}
    return saved(_in_mode(rng, mode), image_format, **options)


def deep_tiff(rng: random.Random) -> bytes:
    """Floats with numbers that are none, 16 and 32 bits with and without sign, and any bits per sample."""
    if rng.random() < 0.4:
        return _any_sample_format(rng)
    values = np.asarray(portrait().convert("L"), np.float32) * rng.choice([1 / 255, 1.0, 257.0, 1e30, -1.0])
    for _ in range(rng.randrange(1, 200)):
        values[rng.randrange(96), rng.randrange(96)] = rng.choice(_NUMBERS)
    if rng.random() < 0.1:
        values[:] = rng.choice(_NUMBERS)
    if rng.random() < 0.3:
        finite = np.nan_to_num(values, posinf=2**31 - 1000, neginf=-(2.0**31))
        return saved(Image.fromarray(finite.clip(-(2.0**31), 2**31 - 1000).astype(np.int32)), "TIFF")
    return saved(Image.fromarray(values), "TIFF", compression=rng.choice([None, "tiff_lzw", "tiff_adobe_deflate"]))


def _any_sample_format(rng: random.Random) -> bytes:
    """A sound TIFF whose tags say that its bytes mean something else."""
    data = bytearray(saved(portrait().convert("L"), "TIFF"))
    values = {
        258: [1, 2, 4, 8, 12, 16, 32, 64, 255],  # BitsPerSample
        259: [1, 2, 5, 7, 8, 32_773, 34_712, 50_000, 9],  # Compression
        262: [0, 1, 2, 3, 4, 5, 6, 8, 32_803],  # PhotometricInterpretation
        277: [0, 1, 2, 3, 4, 5, 255],  # SamplesPerPixel
        284: [1, 2, 3],  # PlanarConfiguration
        339: [1, 2, 3, 4, 5, 6],  # SampleFormat
        317: [1, 2, 3],  # Predictor
        274: [0, 1, 6, 8, 9],  # Orientation
    }
    first = struct.unpack("<I", data[4:8])[0]
    for row in range(struct.unpack("<H", data[first : first + 2])[0]):
        at = first + 2 + 12 * row
        tag = struct.unpack("<H", data[at : at + 2])[0]
        if tag in values and rng.random() < 0.5:
            data[at : at + 12] = struct.pack("<HHIHH", tag, 3, 1, rng.choice(values[tag]), 0)
    return bytes(data)


def _in_mode(rng: random.Random, mode: str) -> Image.Image:
    left, top = rng.randrange(30), rng.randrange(30)
    image = portrait(128).crop((left, top, left + 96, top + 96))
    if mode in ("I;16", "I;16B", "I"):
        deep = np.asarray(image.convert("L"), np.uint16) * rng.choice([1, 100, 257])
        picture = Image.fromarray(deep.astype(np.int32) if mode == "I" else deep)
        return picture if mode != "I;16B" else Image.frombytes("I;16B", image.size, deep.astype(">u2").tobytes())
    if mode == "F":
        return Image.fromarray(np.asarray(image.convert("L"), np.float32) / 255)
    if mode in ("LA", "RGBA"):
        image = image.convert(mode)
        image.putalpha(rng.choice([0, 1, 128, 254, 255]))
        return image
    if mode == "LAB":
        return Image.frombytes("LAB", image.size, image.tobytes())
    return image.convert(mode)
