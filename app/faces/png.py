"""The outline of a PNG file, read without decoding it."""

from app.errors import UnreadableImage

# Encoders write pixels in chunks of 8 KB or more, so a file of 10 MB has about a thousand.
MAX_CHUNKS = 10_000
# Of colour profile and texts, each of which Pillow may unpack to a megabyte; a photograph has a handful.
MAX_COMPRESSED_CHUNKS = 100

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_OVERHEAD_BYTES = 12  # length, type and checksum
_COMPRESSED = (b"iCCP", b"zTXt", b"iTXt")


def check_outline(data: bytes) -> None:
    """Raise UnreadableImage for a PNG of absurdly many chunks; pass everything else.

    Pillow walks over chunks in Python: unchecked, a file of 10 MB of empty ones takes seconds, and one of packed
    colour profiles twenty.
    """
    if not data.startswith(_SIGNATURE):
        return
    position, compressed = len(_SIGNATURE), 0
    for _ in range(MAX_CHUNKS):
        if position + _OVERHEAD_BYTES > len(data):
            return
        compressed += data[position + 4 : position + 8] in _COMPRESSED
        if compressed > MAX_COMPRESSED_CHUNKS:
            break
        position += _OVERHEAD_BYTES + int.from_bytes(data[position : position + 4])
    raise UnreadableImage(
        f"the PNG has over {MAX_CHUNKS} chunks, or over {MAX_COMPRESSED_CHUNKS} of profile and text; save it again as "
        "an ordinary PNG",
        max_chunks=MAX_CHUNKS,
        max_compressed_chunks=MAX_COMPRESSED_CHUNKS,
    )
