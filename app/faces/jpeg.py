"""The outline of a JPEG file, read without decoding it."""

import re

from app.errors import UnreadableImage

# libtiff's own limit for JPEG inside TIFF; encoders write 1 (baseline) to about 15 (progressive).
MAX_SCANS = 100
# An application segment holds 64 KB, so a colour profile or EXIF of 10 MB takes 160.
MAX_SEGMENTS = 2000

# Fill bytes, and before the first scan whatever else lies between the segments, where nothing should be: Pillow walks
# over the one in Python, and the decoder takes 0.2 us for each of the others.
MAX_STRAY_BYTES = 100_000

_SIGNATURE = b"\xff\xd8\xff"
# A marker that is neither a stuffed zero nor a restart inside a scan, or a run of fill bytes. It begins with one plain
# byte, which is what the search is fast for: 20 times as fast as with anything before it.
_MARKER = re.compile(rb"\xff(?:\xff+|[\x01-\xcf\xd8-\xfe])")
_FILL = 0xFF
# TEM, JPG, SOI, EOI and JPG0 to JPG13, of which Pillow reads no length.
_WITHOUT_LENGTH = (0x01, 0xC8, 0xD8, 0xD9, *range(0xF0, 0xFE))
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA


def check_outline(data: bytes) -> None:
    """Raise UnreadableImage for a JPEG of absurdly many scans, segments or stray bytes; pass everything else.

    A scan takes 40 bytes of the file and a walk over every pixel: unchecked, a file of 200 KB and 25 megapixels
    decodes for ten seconds, one of 10 MB for most of an hour. 10 MB of fill bytes take three seconds, also in a scan.
    """
    if not data.startswith(_SIGNATURE):
        return
    position = segments = scans = stray_bytes = 0
    while True:
        end = len(data) if scans else min(len(data), position + MAX_STRAY_BYTES + 2)
        found = _MARKER.search(data, position, end)
        if not scans:
            stray_bytes += (found.start() if found else end) - position
        kind = data[found.start() + 1] if found else _END_OF_IMAGE
        if found and kind == _FILL:  # the last of them may begin a marker
            position = found.end() - 1
            stray_bytes += position - found.start()
        if stray_bytes > MAX_STRAY_BYTES:
            raise UnreadableImage(
                f"the JPEG has over {MAX_STRAY_BYTES} bytes outside of segments; save it again as an ordinary JPEG",
                max_stray_bytes=MAX_STRAY_BYTES,
            )
        if found is None or (scans and kind == _END_OF_IMAGE):  # before the first scan Pillow goes on
            return
        if kind == _FILL:
            continue
        segments += 1
        scans += kind == _START_OF_SCAN
        if scans > MAX_SCANS or segments > MAX_SEGMENTS:
            raise UnreadableImage(
                f"the JPEG has over {MAX_SCANS} scans or {MAX_SEGMENTS} segments; save it again as an ordinary JPEG",
                max_scans=MAX_SCANS,
                max_segments=MAX_SEGMENTS,
            )
        position = found.end()
        if kind not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2])
