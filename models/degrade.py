"""Photographs made worse on purpose, each in one way and by a random amount: what a quality measure must notice."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Rng = np.random.Generator
Degradation = Callable[[Image.Image, Rng], Image.Image]


def untouched(image: Image.Image, rng: Rng) -> Image.Image:
    """As taken."""
    return image


def reduced(image: Image.Image, rng: Rng) -> Image.Image:
    """Fewer pixels: 1 to 1/8 of each side, most of them small."""
    factor = 8.0 ** rng.uniform(0, 1)
    size = (max(round(image.width / factor), 16), max(round(image.height / factor), 16))
    return image.resize(size, Image.Resampling.BOX)


def blurred(image: Image.Image, rng: Rng) -> Image.Image:
    """Out of focus: Gaussian, of up to a twentieth of the photograph's shorter side."""
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0, min(image.size) / 20)))


def darkened(image: Image.Image, rng: Rng) -> Image.Image:
    """Underexposed by up to six stops, then stored in 8 bits."""
    return _exposed(image, -rng.uniform(0, 6))


def brightened(image: Image.Image, rng: Rng) -> Image.Image:
    """Overexposed by up to four stops, whites clipped."""
    return _exposed(image, rng.uniform(0, 4))


def flattened(image: Image.Image, rng: Rng) -> Image.Image:
    """Fog: down to a fiftieth of the contrast, stored in 8 bits."""
    return ImageEnhance.Contrast(image).enhance(0.02 ** rng.uniform(0, 1))


def tilted(image: Image.Image, rng: Rng) -> Image.Image:
    """Turned in the plane of the picture by up to 90 degrees, either way."""
    return image.rotate(rng.uniform(-90, 90), Image.Resampling.BICUBIC, expand=True)


def cut_off(image: Image.Image, rng: Rng) -> Image.Image:
    """Up to half of the photograph missing at one side."""
    share = rng.uniform(0, 0.5)
    width, height = image.size
    sides = [
        (share * width, 0, width, height),
        (0, 0, (1 - share) * width, height),
        (0, share * height, width, height),
        (0, 0, width, (1 - share) * height),
    ]
    return image.crop(tuple(round(edge) for edge in sides[rng.integers(4)]))


def _exposed(image: Image.Image, stops: float) -> Image.Image:
    """In linear light, as a camera would: sRGB taken for a power of 2.2."""
    linear = (np.asarray(image, np.float32) / 255.0) ** 2.2 * 2.0**stops
    return Image.fromarray(np.rint(np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8))


DEGRADATIONS: dict[str, Degradation] = {
    "as taken": untouched,
    "reduced": reduced,
    "blurred": blurred,
    "darkened": darkened,
    "brightened": brightened,
    "flattened": flattened,
    "tilted": tilted,
    "cut off": cut_off,
}
