"""The outline of a JPEG file, read without decoding it."""

import re

from app.errors import UnreadableImage

# libtiff's own limit for JPEG inside TIFF; encoders write 1 (baseline) to about 15 (progressive).
MAX_SCANS = 100
# An application segment holds 64 KB, so a colour profile or EXIF of 10 MB takes 160.
MAX_SEGMENTS = 2000

_SIGNATURE = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # neither a stuffed zero nor a restart inside a scan
_WITHOUT_LENGTH = (0x01, 0xD8)  # TEM and SOI
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA


def check_outline(data: bytes) -> None:
    """Raise UnreadableImage for a JPEG of absurdly many scans or segments; pass everything else.

    A scan takes 40 bytes of the file and a walk over every pixel: unchecked, a file of 200 KB and 25 megapixels
    decodes for ten seconds, one of 10 MB for most of an hour.
    """
    if not data.startswith(_SIGNATURE):
        return
    position = segments = scans = 0
    while (marker := _MARKER.search(data, position)) is not None and marker[1][0] != _END_OF_IMAGE:
        segments += 1
        scans += marker[1][0] == _START_OF_SCAN
        if scans > MAX_SCANS or segments > MAX_SEGMENTS:
            raise UnreadableImage(
                f"the JPEG has over {MAX_SCANS} scans or {MAX_SEGMENTS} segments; save it again as an ordinary JPEG",
                max_scans=MAX_SCANS,
                max_segments=MAX_SEGMENTS,
            )
        position = marker.end()
        if marker[1][0] not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2])
