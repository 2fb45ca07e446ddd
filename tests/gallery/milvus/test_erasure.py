"""What was erased is not in Milvus any more, and what was not is told."""

import pytest

from app.gallery.follower import GalleryFollower
from app.gallery.milvus.erasure import verify_erasure
from app.gallery.milvus.index import MilvusIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face
from tests.gallery.milvus_server import LiteServer


@pytest.fixture
def index(sqlite_store: GalleryStore, milvus: LiteServer) -> MilvusIndex:
    """Of five subjects three are erased, one of them with the gallery."""
    for seed in range(4):
        sqlite_store.add("default", f"s{seed}", [new_face(seed)])
    sqlite_store.create_gallery("other")
    sqlite_store.add("other", "eve", [new_face(9)])
    index = milvus.index()
    GalleryFollower(sqlite_store, index)._catch_up()
    sqlite_store.remove_subject("default", "s0")
    sqlite_store.remove_subject("default", "s1")
    sqlite_store.drop_gallery("other")
    return index


def verdicts(store: GalleryStore, index: MilvusIndex) -> dict[str, bool | None]:
    engine = store._transactions._engine
    return {found.check: found.ok for found in verify_erasure(engine, index._connection, index._catalogue, MODEL_ID)}


def test_erased_faces_are_gone_from_milvus(sqlite_store: GalleryStore, index: MilvusIndex) -> None:
    GalleryFollower(sqlite_store, index)._catch_up()
    assert verdicts(sqlite_store, index) == {"milvus": True, "faces in Milvus": True, "files of Milvus": None}
    index.close()


def test_erased_faces_that_are_still_there_are_told_of(sqlite_store: GalleryStore, index: MilvusIndex) -> None:
    assert verdicts(sqlite_store, index) == {"milvus": False, "faces in Milvus": None, "files of Milvus": None}
    index.close()


def test_faces_of_a_dropped_gallery_that_are_still_there_are_told_of(
    sqlite_store: GalleryStore, index: MilvusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = index._connection.call
    eve = 5  # the last face enrolled

    def keep_galleries(method: str, *args: object, **kwargs: object) -> object:
        return None if method == "delete" and kwargs["ids"] == [eve] else call(method, *args, **kwargs)

    monkeypatch.setattr(index._connection, "call", keep_galleries)
    GalleryFollower(sqlite_store, index)._catch_up()
    assert verdicts(sqlite_store, index)["faces in Milvus"] is False
    index.close()
