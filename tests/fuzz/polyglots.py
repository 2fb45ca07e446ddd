"""Files that are two things at once, and files that are no image."""

import base64
import io
import json
import random
import zipfile

from tests.fuzz.bases import any_sound, jpeg_segment, noise, png_chunk, sound, with_jpeg_segments

_SCRIPT = b"<html><script>alert(1)</script><?php system($_GET['c']); ?></html>"


def polyglot(rng: random.Random) -> bytes:
    """An archive, a page or a program inside an image, before it or behind it."""
    other = rng.choice([_archive(rng), _SCRIPT, b"%PDF-1.4\n1 0 obj\n", b"\x7fELF" + noise(rng, 60), b"MZ" + bytes(60)])
    base = sound(3)
    return rng.choice(
        [
            any_sound(rng) + other,
            other + any_sound(rng),
            with_jpeg_segments(sound(0), [jpeg_segment(0xFE, other)]),
            with_jpeg_segments(sound(0), [jpeg_segment(0xEF, other)]),
            base[:33] + png_chunk(b"tEXt", b"a\0" + other) + base[33:],
            any_sound(rng) + any_sound(rng),
        ]
    )


def no_image(rng: random.Random) -> bytes:
    """Nothing, little, noise, text, archives, and images written as text."""
    return rng.choice(
        [
            b"",
            bytes(rng.randrange(1, 40)),
            noise(rng, rng.randrange(1, 40)),
            noise(rng, rng.randrange(40, 5_000)),
            b"\xff" * rng.randrange(1, 5_000),
            _SCRIPT,
            _archive(rng),
            json.dumps({"image": "x" * rng.randrange(100)}).encode(),
            base64.b64encode(any_sound(rng)),
            b"data:image/jpeg;base64," + base64.b64encode(any_sound(rng)),
            any_sound(rng).hex().encode(),
            "Grüße, ein Gesicht ist das nicht. ".encode("utf-16") * rng.randrange(1, 9),
            b"\n" + any_sound(rng),
            b"\xef\xbb\xbf" + any_sound(rng),
        ]
    )


def _archive(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("../evil.jpg"), bytes(rng.randrange(1_000)))
    return buffer.getvalue()
