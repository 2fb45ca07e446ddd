"""What is kept of galleries, subjects and faces: read it, change it, erase it.

An erasure is answered only after this replica's index has dropped what was erased.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from app.domain import (
    CollectionFace,
    ErasedGallery,
    ErasedSubject,
    FaceCrop,
    Gallery,
    GalleryFace,
    Subject,
    SubjectChanges,
)
from app.errors import GalleryNotFound, NotReady
from app.gallery.checks import check_metadata_size, check_not_expired

if TYPE_CHECKING:
    from app.gallery.follower import GalleryFollower
    from app.gallery.store import GalleryStore

P = ParamSpec("P")
T = TypeVar("T")


class GalleryRecords:
    """Awaitable use cases over the store; each raises GalleryNotFound, SubjectNotFound, FaceNotFound or NotReady."""

    def __init__(
        self,
        store: "GalleryStore",
        follower: "GalleryFollower",
        *,
        threads: Executor,
        index_wait_seconds: float,
        max_metadata_bytes: int,
    ) -> None:
        self.store = store
        self.follower = follower
        self.threads = threads
        self._index_wait_seconds = index_wait_seconds
        self._max_metadata_bytes = max_metadata_bytes

    async def galleries(self, *, limit: int, after: str | None = None) -> list[Gallery]:
        """Up to `limit` galleries by name, those that follow `after`."""
        found = await self.in_database(self.store.galleries)
        return [gallery for gallery in found if after is None or gallery.name > after][:limit]

    async def gallery(self, name: str) -> Gallery:
        """One gallery, counted in the database."""
        return await self.in_database(self.store.gallery, name)

    async def create_gallery(self, name: str) -> tuple[Gallery, bool]:
        """The gallery, and whether it was made now; it can be searched when this returns."""
        try:
            return await self.gallery(name), False
        except GalleryNotFound:  # looked for first, since making one waits for other writes
            revision, created = await self.in_database(self.store.ensure_gallery, name)
        await self.until_indexed(revision)
        return await self.gallery(name), created

    async def drop_gallery(self, name: str) -> ErasedGallery:
        """Erase a gallery with all its subjects."""
        erased = await self.in_database(self.store.drop_gallery, name)
        await self._until_forgotten(erased.revision)
        return erased

    async def subjects(self, gallery: str, *, prefix: str, limit: int, after: str | None = None) -> list[Subject]:
        """Up to `limit` subjects by subject_id that begin with `prefix` and follow `after`."""
        return await self.in_database(self.store.subjects, gallery, prefix=prefix, limit=limit, after=after)

    async def subject(self, gallery: str, subject_id: str) -> Subject:
        """What is known of a subject."""
        return await self.in_database(self.store.subject, gallery, subject_id)

    async def change_subject(self, gallery: str, subject_id: str, changes: SubjectChanges) -> tuple[Subject, bool]:
        """The subject after the changes, and whether identifications here show them already."""
        check_metadata_size(changes.get("metadata"), self._max_metadata_bytes)
        check_not_expired(changes.get("expires_at"))
        revision = await self.in_database(self.store.update_subject, gallery, subject_id, changes)
        indexed = await self.until_indexed(revision)
        return await self.subject(gallery, subject_id), indexed

    async def erase_subject(self, gallery: str, subject_id: str) -> ErasedSubject:
        """Erase a subject with all its faces."""
        erased = await self.in_database(self.store.remove_subject, gallery, subject_id)
        await self._until_forgotten(erased.revision)
        return erased

    async def erase_subjects(self, gallery: str) -> ErasedGallery:
        """Erase all subjects of a gallery, some at a time; whoever is enrolled meanwhile may stay."""
        subjects, faces = 0, 0
        while True:
            erased = await self.in_database(self.store.remove_subjects, gallery)
            if not erased.subjects:
                break
            subjects, faces = subjects + erased.subjects, faces + erased.faces
        await self._until_forgotten(erased.revision)
        return ErasedGallery(subjects, faces, erased.revision)

    async def rename_subject(self, gallery: str, subject_id: str, new_id: str, *, max_faces: int) -> bool:
        """Give a subject another id, or its faces to the subject that has it; whether searches here know already."""
        revision = await self.in_database(self.store.rename_subject, gallery, subject_id, new_id, max_faces=max_faces)
        return await self.until_indexed(revision)

    async def collection(
        self, gallery: str, subject_id: str | None, *, offset: int, limit: int
    ) -> tuple[list[CollectionFace], int]:
        """Faces of a gallery, or of one subject, oldest first from `offset` on; and how many there are in all."""
        return await self.in_database(self.store.collection, gallery, subject_id, offset=offset, limit=limit)

    async def subject_of_face(self, gallery: str, face_id: str) -> str:
        """Whose face it is."""
        return await self.in_database(self.store.subject_of_face, gallery, face_id)

    async def faces(self, gallery: str, subject_id: str) -> list[GalleryFace]:
        """A subject's faces, oldest first."""
        return await self.in_database(self.store.faces, gallery, subject_id)

    async def crop(self, gallery: str, face_id: str) -> FaceCrop:
        """The stored crop of a face; raises CropNotKept where there is none."""
        return await self.in_database(self.store.crop, gallery, face_id)

    async def erase_face(self, gallery: str, face_id: str) -> int:
        """Erase one face and return the revision from which no replica finds it."""
        revision = await self.in_database(self.store.remove_face, gallery, face_id)
        await self._until_forgotten(revision)
        return revision

    async def in_database(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what waits for the database on a thread for it, which knows the request that it works for."""
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: context.run(call, *args, **kwargs))

    async def until_indexed(self, revision: int) -> bool:
        """Wait a while until searches here see a revision, and say whether they do."""
        self.follower.wake()
        return await self.follower.reach(revision, self._index_wait_seconds)

    async def _until_forgotten(self, revision: int) -> None:
        if not await self.until_indexed(revision):
            raise NotReady(
                "the erasure is stored, but searches on this replica have not taken it in yet; they will as soon as "
                "the index follows the database again",
                revision=revision,
            )
