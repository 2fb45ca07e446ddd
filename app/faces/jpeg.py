"""The outline of a JPEG file, read without decoding it."""

import re

from app.errors import UnreadableImage

# libtiff's own limit for JPEG inside TIFF; encoders write 1 (baseline) to about 15 (progressive).
MAX_SCANS = 100
# An application segment holds 64 KB, so a colour profile or EXIF of 10 MB takes 160.
MAX_SEGMENTS = 2000

# Between the segments before the first scan, where nothing should be; Pillow walks over it in Python.
MAX_STRAY_BYTES = 100_000

_SIGNATURE = b"\xff\xd8\xff"
# Fill bytes and a marker that is neither a stuffed zero nor a restart inside a scan. A run of fill bytes is looked at
# once, whatever follows it: at the position asked for, or from its beginning.
_MARKER = rb"\xff++([\x01-\xcf\xd8-\xfe])"
_HERE, _LATER = re.compile(_MARKER), re.compile(rb"(?<!\xff)" + _MARKER)
_WITHOUT_LENGTH = (0x01, 0xD8)  # TEM and SOI
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA


def check_outline(data: bytes) -> None:
    """Raise UnreadableImage for a JPEG of absurdly many scans, segments or stray bytes; pass everything else.

    A scan takes 40 bytes of the file and a walk over every pixel: unchecked, a file of 200 KB and 25 megapixels
    decodes for ten seconds, one of 10 MB for most of an hour. 10 MB of fill bytes take three seconds.
    """
    if not data.startswith(_SIGNATURE):
        return
    position = segments = scans = stray_bytes = 0
    while True:
        end = len(data) if scans else min(len(data), position + MAX_STRAY_BYTES + 2)
        marker = _next_marker(data, position, end)
        if not scans:
            stray_bytes += (marker.start(1) if marker else end) - position - 1
        if stray_bytes > MAX_STRAY_BYTES:
            raise UnreadableImage(
                f"the JPEG has over {MAX_STRAY_BYTES} bytes outside of its segments; save it again as an ordinary JPEG",
                max_stray_bytes=MAX_STRAY_BYTES,
            )
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            return
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


def _next_marker(data: bytes, position: int, end: int) -> re.Match[bytes] | None:
    return _HERE.match(data, position, end) or _LATER.search(data, position, end)
