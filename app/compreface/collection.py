"""A collection of CompreFace is a gallery that is made when something is first put into it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.errors import GalleryNotFound
from app.service import FaceService

T = TypeVar("T")


async def put(service: FaceService, gallery: str, store: Callable[[], Awaitable[T]]) -> T:
    """What `store` answers, once there is the gallery that it stores into. Raises BadRequest for a gallery's name."""
    try:
        return await store()
    except GalleryNotFound:
        await service.records.create_gallery(gallery)
        return await store()
