"""Sound images that a service may not have thought of."""

import random
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from tests.fuzz.bases import WAYS, noise, portrait, saved


def animation(rng: random.Random) -> bytes:
    """Animated GIF, WebP and PNG, multi-page TIFF, and the two-picture JPEG of phones."""
    frames = [ImageOps.posterize(portrait(48), 1 + number % 8) for number in range(rng.randrange(2, 12))]
    image_format = rng.choice(["GIF", "WEBP", "PNG", "TIFF", "MPO"])
    options: dict[str, Any] = {} if image_format in ("TIFF", "MPO") else {"duration": rng.choice([0, 1, 100, 60_000])}
    return saved(frames[0], image_format, save_all=True, append_images=frames[1:], **options)


def tiny(rng: random.Random) -> bytes:
    """1 x 1 and a little more, of any mode."""
    size = (1, 1) if rng.random() < 0.1 else (rng.randrange(1, 26), rng.randrange(1, 26))
    image_format, options = rng.choice(WAYS)
    mode = rng.choice(["RGB", "L"])
    return saved(portrait().convert(mode).resize(size), image_format, **options)


def valid(rng: random.Random) -> bytes:
    """Turned, stretched, faint, inverted, repeated faces; plain colours and noise."""
    image_format, options = rng.choice(WAYS)
    return saved(rng.choice(_PICTURES)(rng), image_format, **options)


def _turned(rng: random.Random) -> Image.Image:
    return portrait(160).rotate(rng.randrange(360), expand=True)


def _stretched(rng: random.Random) -> Image.Image:
    return portrait().resize((rng.randrange(1, 600), rng.randrange(1, 600)))


def _faint(rng: random.Random) -> Image.Image:
    return ImageOps.posterize(portrait(128), 1).point(lambda value: value // rng.choice([2, 16, 64, 255]))


def _inverted(rng: random.Random) -> Image.Image:
    return ImageOps.invert(portrait(128)) if rng.random() < 0.5 else ImageOps.flip(portrait(128))


def _crowd(rng: random.Random) -> Image.Image:
    """Many small faces."""
    face, side = portrait(48), rng.randrange(2, 7)
    crowd = Image.new("RGB", (48 * side, 48 * side))
    for place in range(side * side):
        crowd.paste(face, (48 * (place % side), 48 * (place // side)))
    return crowd


def _plain(rng: random.Random) -> Image.Image:
    colour = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    return Image.new("RGB", (rng.randrange(1, 500), rng.randrange(1, 500)), colour)


def _noisy(rng: random.Random) -> Image.Image:
    side = rng.randrange(8, 200)
    return Image.frombytes("RGB", (side, side), noise(rng, 3 * side * side))


def _drawn(rng: random.Random) -> Image.Image:
    """Two eyes and a mouth."""
    image = Image.new("RGB", (120, 120), "tan")
    draw = ImageDraw.Draw(image)
    for x in (35, 75):
        draw.ellipse((x, 40, x + 12, 52), fill="black")
    draw.arc((35, 60, 85, 100), 20, 160, fill="red", width=rng.randrange(1, 6))
    return image


_PICTURES = (_turned, _stretched, _faint, _inverted, _crowd, _plain, _noisy, _drawn)
