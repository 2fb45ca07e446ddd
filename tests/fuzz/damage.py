"""Sound files, damaged as disks, networks and attackers damage them."""

import random

from tests.fuzz.bases import any_sound, noise


def truncated(rng: random.Random) -> bytes:
    """Cut short anywhere."""
    data = any_sound(rng)
    return data[: rng.randrange(1, len(data))]


def truncated_head(rng: random.Random) -> bytes:
    """Cut short where formats keep their headers, or just before the end."""
    data = any_sound(rng)
    at = rng.randrange(1, 700) if rng.random() < 0.8 else -rng.randrange(1, 20)
    return data[:at]


def bits_flipped(rng: random.Random) -> bytes:
    """One to 64 bits, anywhere or all in the header."""
    data = bytearray(any_sound(rng))
    reach = len(data) if rng.random() < 0.6 else min(len(data), 400)
    for _ in range(2 ** rng.randrange(7)):
        data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(data)


def bytes_rewritten(rng: random.Random) -> bytes:
    """A stretch of zeros, of 0xFF or of noise."""
    data = bytearray(any_sound(rng))
    for _ in range(rng.randrange(1, 5)):
        start, count = rng.randrange(len(data)), rng.randrange(1, 64)
        fill = rng.choice([b"\0" * count, b"\xff" * count, noise(rng, count)])
        data[start : start + count] = fill
    return bytes(data)


def pieces_moved(rng: random.Random) -> bytes:
    """A piece left out, doubled, or taken from another file."""
    data, other = any_sound(rng), any_sound(rng)
    start = rng.randrange(len(data))
    stop = min(start + rng.randrange(1, 2000), len(data))
    piece = other[rng.randrange(len(other)) :][:2000]
    return rng.choice(
        [
            data[:start] + data[stop:],
            data[:stop] + data[start:],
            data[:start] + piece + data[stop:],
            data + other,
            data[:start] + other,
        ]
    )
