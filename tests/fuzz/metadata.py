"""What travels beside the pixels: EXIF, colour profiles, text, and chunks that nobody asked for."""

import random
import struct
import zlib

from PIL import Image, ImageCms

from tests.fuzz.bases import any_sound, jpeg_segment, noise, png_chunk, portrait, saved, sound, with_jpeg_segments

_ORIENTATIONS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 65_535)


def exif_lies(rng: random.Random) -> bytes:
    """Orientations, counts, offsets and types that cannot be; in any format that carries EXIF."""
    exif = rng.choice([_exif, _exif_of_any_type, _exif_soup, _exif_that_loops])(rng)
    image_format = rng.choice(["JPEG", "JPEG", "PNG", "WEBP", "TIFF"])
    if image_format == "JPEG":
        return with_jpeg_segments(sound(0), [jpeg_segment(0xE1, b"Exif\0\0" + exif[:65_000])])
    if image_format == "PNG":
        base = sound(3)
        return base[:33] + png_chunk(b"eXIf", exif) + base[33:]
    if image_format == "WEBP":
        return _webp_with(b"EXIF", exif, flag=0x08)
    orientation = Image.Exif()
    orientation[0x0112] = rng.choice(_ORIENTATIONS)
    return saved(portrait(), "TIFF", exif=orientation)


def colour_profile(rng: random.Random) -> bytes:
    """Profiles that are sound, broken, huge, of another colour space, or no profiles."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    broken = bytearray(srgb)
    broken[rng.randrange(len(broken))] ^= 0xFF
    profile = rng.choice(
        [
            srgb,
            lab,
            bytes(broken),
            srgb[: rng.randrange(len(srgb))],
            struct.pack(">I", 2**31) + srgb[4:],
            srgb[:128] + struct.pack(">I", 2**32 - 1) + srgb[132:],
            noise(rng, rng.randrange(1, 2_000)),
            srgb + bytes(rng.randrange(1, 2_000_000)),
        ]
    )
    mode = rng.choice(["RGB", "RGB", "L", "CMYK"])
    image_format = "JPEG" if mode == "CMYK" else rng.choice(["JPEG", "PNG", "WEBP", "TIFF"])
    return saved(portrait().convert(mode), image_format, icc_profile=profile)


def extra_chunks(rng: random.Random) -> bytes:
    """PNG chunks and JPEG segments in places where they may not be, with lengths and checksums that do not fit."""
    if rng.random() < 0.5:
        base = sound(rng.choice([3, 4]))
        at = rng.choice([8, 33, len(base) - 12, len(base)])
        return base[:at] + _chunk(rng) + base[at:]
    segments = [jpeg_segment(rng.randrange(0xC0, 0xFF), noise(rng, rng.randrange(200))) for _ in range(3)]
    return with_jpeg_segments(any_sound(rng) if rng.random() < 0.1 else sound(0), segments)


def _chunk(rng: random.Random) -> bytes:
    kinds = [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT"]
    content = rng.choice([b"", noise(rng, rng.randrange(400)), b"key\0\0" + zlib.compress(noise(rng, 300))])
    crc = rng.randrange(2**32) if rng.random() < 0.3 else None
    return png_chunk(rng.choice([*kinds, b"IHDR", b"IEND", b"IDAT", noise(rng, 4)]), content, crc=crc)


def _exif(rng: random.Random) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = rng.choice(_ORIENTATIONS)
    exif[0x0100], exif[0x0101] = rng.randrange(2**31), rng.randrange(2**31)
    exif[0x010E] = "x" * rng.randrange(500)
    exif.get_ifd(0x8825)[2] = (rng.randrange(2**20), 0, 0)
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _exif_of_any_type(rng: random.Random) -> bytes:
    """The orientation as text, as a fraction by zero, as a million numbers, or as a type that does not exist."""
    kind, count = rng.randrange(0, 20), rng.choice([0, 1, 2, 1000, 2**16, 2**31, 2**32 - 1])
    row = struct.pack("<HHI", 0x0112, kind, count) + noise(rng, 4)
    return b"II*\0" + struct.pack("<IH", 8, 1) + row + struct.pack("<I", 0) + bytes(8)


def _exif_soup(rng: random.Random) -> bytes:
    return rng.choice([b"II*\0", b"MM\0*", b"II+\0", b"\0\0\0\0", b"Exif"]) + noise(rng, rng.randrange(400))


def _exif_that_loops(rng: random.Random) -> bytes:
    """Directories that lead to each other, and more entries than there are bytes."""
    row = struct.pack("<HHII", rng.choice([0x8769, 0x8825, 0xA005, 0x014A]), 4, 1, 8)
    return b"II*\0" + struct.pack("<IH", 8, rng.choice([1, 2, 65_535])) + row + struct.pack("<I", 8)


def _webp_with(kind: bytes, content: bytes, *, flag: int) -> bytes:
    base = sound(5)
    width, height = portrait().size
    extended = struct.pack("<I", flag) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + _riff(b"VP8X", extended) + base[12:] + _riff(kind, content)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
