"""Eight small files of one public-domain portrait, different enough that each is told from the others by distance."""

import io

import skimage.data
from PIL import Image, ImageEnhance

COUNT = 8
SAME_PHOTOGRAPH = 1e-6  # squared L2; the service's own arithmetic stays far below, two of these files far above


def photographs() -> list[bytes]:
    """JPEG files of about 200 x 200 pixels with one face each."""
    portrait = Image.fromarray(skimage.data.astronaut()).crop((120, 20, 330, 230))
    return [_file(portrait, number) for number in range(COUNT)]


def _file(portrait: Image.Image, number: int) -> bytes:
    turned = portrait.rotate(5 * (number - COUNT // 2), Image.Resampling.BICUBIC)
    lit = ImageEnhance.Brightness(turned).enhance(0.6 + 0.1 * number)
    buffer = io.BytesIO()
    lit.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
