"""The outline of a TIFF file, read without decoding it."""

from typing import Literal

from app.errors import UnreadableImage

# Encoders write strips of 8 KB or more and tiles of 64 KB: a picture of 25 megapixels has some ten thousand.
MAX_STRIPS = 100_000

_CLASSIC, _BIG = 42, 43
_STRIP_OFFSETS, _TILE_OFFSETS = 273, 324
_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}


def check_outline(data: bytes) -> None:
    """Raise UnreadableImage for a TIFF of absurdly many strips or tiles; pass everything else.

    Pillow makes an object of each: unchecked, a file of 1 MB takes six seconds and 240 MB. The first directory alone is
    looked at, as by Pillow (TIFF 6.0, section 2; BigTIFF has longer fields).
    """
    order = _BYTE_ORDERS.get(data[:2])
    if order is None:
        return

    def number(position: int, size: int) -> int:
        return int.from_bytes(data[position : position + size], order)

    version = number(2, 2)
    if version not in (_CLASSIC, _BIG):
        return
    # Sizes of an offset, of the number of entries, and of an entry: tag, type, how many values, and where they are.
    offset_size, count_size, entry_size = (8, 8, 20) if version == _BIG else (4, 2, 12)
    directory = number(offset_size, offset_size)
    first = directory + count_size
    entries = min(number(directory, count_size), max(len(data) - first, 0) // entry_size)
    for entry in range(first, first + entries * entry_size, entry_size):
        strips = number(entry + 4, offset_size)
        if number(entry, 2) in (_STRIP_OFFSETS, _TILE_OFFSETS) and strips > MAX_STRIPS:
            raise UnreadableImage(
                f"the TIFF has {strips} strips or tiles; save it again with at most {MAX_STRIPS}",
                strips=strips,
                max_strips=MAX_STRIPS,
            )
