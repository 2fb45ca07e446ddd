"""Photographs to measure with: one public-domain portrait in the sizes that services receive.

Larger ones are the 512 x 512 portrait enlarged and laid on a background of its own blurred pixels, so the face takes
the share of the frame that it would in a photograph of that kind. An enlargement is smoother than a photograph out
of a camera, and so somewhat cheaper to decode.
"""

import io

import skimage.data
from PIL import Image, ImageFilter

# Name: width, height, side of the portrait in the frame (its face is about a fifth of that wide).
SIZES: dict[str, tuple[int, int, int]] = {
    "250x250": (250, 250, 500),
    "640x480": (640, 480, 640),
    "1920x1080": (1920, 1080, 1400),
    "4000x3000": (4000, 3000, 3000),
}


def pair(size: str) -> tuple[bytes, bytes]:
    """Two JPEG files of the same face, the second turned by four degrees."""
    return picture(size), picture(size, degrees=4.0)


def picture(size: str, *, degrees: float = 0.0) -> bytes:
    """A JPEG file, quality 92."""
    width, height, side = SIZES[size]
    portrait = Image.fromarray(skimage.data.astronaut()).rotate(degrees, Image.Resampling.BICUBIC)
    frame = portrait.resize((64, 64)).filter(ImageFilter.GaussianBlur(4)).resize((width, height))
    portrait = portrait.resize((side, side), Image.Resampling.LANCZOS)
    # The face lies at 44 % of the portrait's width and 23 % of its height; it goes to the middle, a little above.
    frame.paste(portrait, (width // 2 - int(0.44 * side), int(0.42 * height) - int(0.23 * side)))
    buffer = io.BytesIO()
    frame.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
