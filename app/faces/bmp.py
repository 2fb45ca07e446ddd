"""The outline of a BMP file, read without decoding it."""

from app.errors import UnreadableImage

# Two bytes of a run-length BMP are one step in Python.
MAX_RUN_LENGTH_BYTES = 1_000_000

_SIGNATURE = b"BM"
_COMPRESSION = slice(30, 34)
_RUN_LENGTH = (1, 2)  # BI_RLE8 and BI_RLE4


def check_outline(data: bytes) -> None:
    """Raise UnreadableImage for a large BMP of the kind that is compressed by run lengths; pass everything else.

    Pillow decodes that kind in Python: unchecked, a file of 10 MB takes seconds. It has at most 256 colours.
    """
    if len(data) <= MAX_RUN_LENGTH_BYTES or not data.startswith(_SIGNATURE):
        return
    if int.from_bytes(data[_COMPRESSION], "little") in _RUN_LENGTH:
        raise UnreadableImage(
            f"the BMP is compressed by run lengths and has {len(data)} bytes; {MAX_RUN_LENGTH_BYTES} are allowed then; "
            "save it as PNG or JPEG",
            image_bytes=len(data),
            max_run_length_bytes=MAX_RUN_LENGTH_BYTES,
        )
