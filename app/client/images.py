"""Photographs as callers have them: a path, the bytes of a file, or a file object."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

Image: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


def read_image(image: Image) -> bytes:
    """The bytes of an image file. A file object is read from where it stands and stays open.

    Raises OSError where a file cannot be read, and TypeError for anything that is no image.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    content = image.read() if hasattr(image, "read") else image
    if not isinstance(content, bytes):
        raise TypeError(f"an image is a path, bytes or a binary file, not {type(content).__name__}")
    return content


def read_images(images: Image | Sequence[Image]) -> list[bytes]:
    """One image or several."""
    if isinstance(images, list | tuple):
        return [read_image(image) for image in images]
    return [read_image(cast("Image", images))]
