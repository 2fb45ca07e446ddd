"""The writer of the index: interrupted anywhere, replaced by another, made anew while the old collection serves."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import GalleryNotFound, NotReady
from app.gallery.engine import open_engine
from app.gallery.follower import GalleryFollower
from app.gallery.milvus import feeding
from app.gallery.milvus.catalogue import Catalogue
from app.gallery.milvus.connection import MilvusConnection, MilvusOptions
from app.gallery.milvus.index import MilvusIndex
from app.gallery.store import GalleryStore
from tests.gallery.faces import (
    EMBEDDING_SIZE,
    MODEL_ID,
    KnownFace,
    assert_same_candidates,
    brute_force,
    embedding,
    new_face,
)
from tests.gallery.milvus_server import AlwaysElected, LiteServer
from tests.gallery.test_follower import copy_database

WRITES = {"insert", "upsert", "delete"}


@pytest.fixture
def options(milvus: LiteServer) -> MilvusOptions:
    return milvus.options()


@pytest.fixture
def opened(options: MilvusOptions, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., MilvusIndex]]:
    """Indexes over the same collections, as processes that come one after the other; none waits for the last one."""
    indexes: list[MilvusIndex] = []
    monkeypatch.setattr(feeding, "GRACE_CALLS", 0)

    def open_one(election: Any = None, model_id: str = MODEL_ID) -> MilvusIndex:
        indexes.append(MilvusIndex(options, model_id, EMBEDDING_SIZE, election or AlwaysElected()))
        return indexes[-1]

    yield open_one
    for index in indexes:
        index.close()


def catch_up(store: GalleryStore, index: MilvusIndex) -> None:
    GalleryFollower(store, index)._catch_up()


def assert_equal_to_database(store: GalleryStore, index: MilvusIndex, people: dict[str, dict[str, list[int]]]) -> None:
    """`people`: gallery -> subject -> photographs, which must be what the database has too."""
    assert index.revision == store.revision()
    for gallery, subjects in people.items():
        faces = [
            KnownFace(face.face_id, subject, store.subject(gallery, subject).name, embedding(photo))
            for subject, photos in subjects.items()
            for face, photo in zip(store.faces(gallery, subject), photos, strict=True)
        ]
        for probe in (embedding(99), embedding(3)):
            [found] = index.search(gallery, probe[None], 3)
            assert_same_candidates(found, brute_force(faces, probe, 3))
        state = index.state(gallery)
        assert (state.faces, state.subjects) == (len(faces), len(subjects))


class Crash(BaseException):
    """The process is gone."""


def crash_at(
    monkeypatch: pytest.MonkeyPatch, call_number: int, *, when: str, methods: Collection[str] = WRITES
) -> None:
    """The process ends before or after the given call of these methods, those that write, counted from 0."""
    count, call = 0, MilvusConnection.call

    def counted(self: MilvusConnection, method: str, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        if method not in methods:
            return call(self, method, *args, **kwargs)
        count += 1
        if count == call_number + 1 and when == "before":
            raise Crash
        answer = call(self, method, *args, **kwargs)
        if count == call_number + 1:
            raise Crash
        return answer

    monkeypatch.setattr(MilvusConnection, "call", counted)


def change_much(store: GalleryStore) -> dict[str, dict[str, list[int]]]:
    """Removals, changes, arrivals, a gallery less and one more, in one batch of changes."""
    store.remove_subject("default", "bob")
    store.update_subject("default", "ada", {"name": "Ada King"})
    [_, second] = store.faces("default", "cleo")
    store.remove_face("default", second.face_id)
    store.add("default", "dan", [new_face(6), new_face(7)])
    store.add("default", "cleo", [new_face(8)])
    store.drop_gallery("site-b")
    store.create_gallery("site-c")
    store.add("site-c", "eve", [new_face(9)])
    return {"default": {"ada": [1], "cleo": [4, 8], "dan": [6, 7]}, "site-c": {"eve": [9]}}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call_number", range(6), ids="write {}".format)
def test_a_writer_that_ends_anywhere_leaves_what_another_one_finishes(
    sqlite_store: GalleryStore,
    opened: Callable[..., MilvusIndex],
    monkeypatch: pytest.MonkeyPatch,
    call_number: int,
    when: str,
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    sqlite_store.add("default", "bob", [new_face(2), new_face(3)])
    sqlite_store.add("default", "cleo", [new_face(4), new_face(5)])
    sqlite_store.create_gallery("site-b")
    sqlite_store.add("site-b", "ada", [new_face(10)])
    first = opened()
    catch_up(sqlite_store, first)
    people = change_much(sqlite_store)
    with monkeypatch.context() as patched:
        crash_at(patched, call_number, when=when)
        with pytest.raises(Crash):
            catch_up(sqlite_store, first)
    # What was in the batch goes on changing before anybody sees it again.
    sqlite_store.remove_subject("default", "dan")
    del people["default"]["dan"]
    second = opened()
    catch_up(sqlite_store, second)
    assert_equal_to_database(sqlite_store, second, people)
    with pytest.raises(GalleryNotFound):
        second.state("site-b")
    sqlite_store.add("default", "fay", [new_face(11)])
    catch_up(sqlite_store, second)
    assert_equal_to_database(sqlite_store, second, {"default": people["default"] | {"fay": [11]}})


def test_a_batch_that_failed_is_written_again_by_the_same_process(
    sqlite_store: GalleryStore, opened: Callable[..., MilvusIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened()
    catch_up(sqlite_store, index)
    sqlite_store.add("default", "ada", [new_face(1)])
    call = MilvusConnection.call

    def fail_to_insert(self: MilvusConnection, method: str, *args: Any, **kwargs: Any) -> Any:
        answer = call(self, method, *args, **kwargs)  # done, and nobody hears of it
        if method == "insert":
            raise NotReady("the gallery index cannot answer now")
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(MilvusConnection, "call", fail_to_insert)
        with pytest.raises(NotReady):
            catch_up(sqlite_store, index)
    assert index.revision == 1
    catch_up(sqlite_store, index)
    assert_equal_to_database(sqlite_store, index, {"default": {"ada": [1]}})


def test_what_an_earlier_process_erased_is_written_anew_by_the_next(
    sqlite_store: GalleryStore, opened: Callable[..., MilvusIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened()
    sqlite_store.add("default", "ada", [new_face(1)])
    catch_up(sqlite_store, first)
    sqlite_store.remove_subject("default", "ada")
    catch_up(sqlite_store, first)
    compacted, call = [], MilvusConnection.call

    def noted(self: MilvusConnection, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "compact":
            compacted.append(args)
        return call(self, method, *args, **kwargs)

    monkeypatch.setattr(MilvusConnection, "call", noted)
    second = opened()
    for subject, photo in (("bob", 2), ("cleo", 3)):
        sqlite_store.add("default", subject, [new_face(photo)])
        catch_up(sqlite_store, second)
    assert len(compacted) == 1


def test_after_an_unfinished_writer_the_next_one_waits_as_long_as_a_call_may_take(
    sqlite_store: GalleryStore, options: MilvusOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = MilvusIndex(options, MODEL_ID, EMBEDDING_SIZE, AlwaysElected())
    catch_up(sqlite_store, first)
    sqlite_store.add("default", "ada", [new_face(1)])
    with monkeypatch.context() as patched:
        crash_at(patched, 1, when="after")
        with pytest.raises(Crash):
            catch_up(sqlite_store, first)
    now = 1000.0
    monkeypatch.setattr(feeding, "monotonic", lambda: now)
    second = MilvusIndex(options, MODEL_ID, EMBEDDING_SIZE, AlwaysElected())
    assert second.sinks() == []
    assert second.revision == 1
    now += 2 * options.timeout_seconds - 1
    assert second.sinks() == []
    now += 2
    assert len(second.sinks()) == 1
    first.close()
    second.close()


def test_a_writer_that_is_no_longer_elected_writes_nothing_more(
    sqlite_store: GalleryStore, opened: Callable[..., MilvusIndex]
) -> None:
    election = AlwaysElected()
    first = opened(election)
    catch_up(sqlite_store, first)
    sqlite_store.add("default", "ada", [new_face(1)])
    [sink] = first.sinks()
    election.lost = True
    with pytest.raises(NotReady, match="another process"):
        sink.apply(sqlite_store.changes(1))
    assert first.sinks() == []
    second = opened()
    assert second.sinks()[0].position == 1
    catch_up(sqlite_store, second)
    assert first.sinks() == []
    assert first.revision == 2
    assert nearest(first, 1) == ["ada"]


def nearest(index: MilvusIndex, photo: int) -> list[str]:
    return [found.subject_id for found in index.search("default", embedding(photo)[None], 1)[0]]


class ShortPages:
    """A store that is read a face at a time."""

    reads_beside_work = False

    def __init__(self, store: GalleryStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def changes(self, after_revision: int) -> Any:
        return self._store.changes(after_revision, limit=1)


def test_a_rebuild_goes_on_beside_writes_while_the_old_collection_serves(
    sqlite_store: GalleryStore, opened: Callable[..., MilvusIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    for photo in range(1, 6):
        sqlite_store.add("default", f"s{photo}", [new_face(photo)])
    index, pages = opened(), ShortPages(sqlite_store)
    catch_up(sqlite_store, index)
    old = index.serving
    new = opened(AlwaysElected()).request_rebuild()
    follower = GalleryFollower(pages, index)  # type: ignore[arg-type]
    steps = 0
    while index.serving != new:
        assert index.serving == old
        if steps < 3:
            sqlite_store.add("default", f"t{steps}", [new_face(100 + steps)])
        if steps == 1:
            sqlite_store.remove_subject("default", "s1")
        follower._catch_up()
        assert index.revision == sqlite_store.revision()
        assert (nearest(index, 1) == ["s1"]) == (steps < 1)
        steps += 1
    assert steps > 5  # it was not built in one go
    people = {f"s{photo}": [photo] for photo in range(2, 6)} | {f"t{step}": [100 + step] for step in range(3)}
    assert_equal_to_database(sqlite_store, index, {"default": people})
    monkeypatch.setattr(feeding, "RETIRE_SECONDS", 0)
    follower._catch_up()
    follower._catch_up()
    assert index._catalogue.find().left == ()


def test_a_rebuild_that_was_interrupted_is_continued_and_not_begun_again(
    sqlite_store: GalleryStore, opened: Callable[..., MilvusIndex]
) -> None:
    for photo in range(1, 6):
        sqlite_store.add("default", f"s{photo}", [new_face(photo)])
    first, pages = opened(), ShortPages(sqlite_store)
    catch_up(sqlite_store, first)
    new = first.request_rebuild()
    for _ in range(3):
        GalleryFollower(pages, first)._catch_up()  # type: ignore[arg-type]
    built = first.built_revision(new)
    second = opened()
    [_, building] = second.sinks()
    assert building.position == built
    assert built is not None
    assert 1 < built < sqlite_store.revision()
    catch_up(sqlite_store, second)
    assert second.serving == new
    assert_equal_to_database(sqlite_store, second, {"default": {f"s{photo}": [photo] for photo in range(1, 6)}})


def restore(url_folder: Path) -> None:
    copy_database(url_folder / "backup.db", url_folder / "gallery.db")


@pytest.mark.parametrize("writes_since", [0, 5], ids=["behind", "ahead again"])
def test_a_database_restored_from_a_backup_is_indexed_anew_while_the_old_collection_claims_nothing(
    sqlite_store: GalleryStore, tmp_path: Path, opened: Callable[..., MilvusIndex], writes_since: int
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    sqlite_store.add("default", "amy", [new_face(3)])
    copy_database(tmp_path / "gallery.db", tmp_path / "backup.db")
    sqlite_store.add("default", "bob", [new_face(2)])
    first = opened()
    catch_up(sqlite_store, first)
    assert nearest(first, 2) == ["bob"]
    restore(tmp_path)
    people = {"ada": [1], "amy": [3]}
    for number in range(writes_since):
        sqlite_store.add("default", f"s{number}", [new_face(50 + number)])
        people[f"s{number}"] = [50 + number]
    second, pages = opened(), ShortPages(sqlite_store)
    GalleryFollower(pages, second)._catch_up()  # type: ignore[arg-type]
    assert (second.revision, nearest(second, 2)) == (0, ["bob"])
    catch_up(sqlite_store, second)
    assert_equal_to_database(sqlite_store, second, {"default": people})


def test_each_model_has_collections_of_its_own(
    sqlite_store: GalleryStore, sqlite_url: str, opened: Callable[..., MilvusIndex]
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    old = opened()
    catch_up(sqlite_store, old)
    engine = open_engine(sqlite_url)
    store = GalleryStore(engine, "another-model")
    new = opened(model_id="another-model")
    store.add("default", "bob", [new_face(2)])
    catch_up(store, new)
    catch_up(sqlite_store, old)
    assert (nearest(old, 2), nearest(new, 1)) == (["ada"], ["bob"])
    assert old._catalogue.drop_all() == 1
    assert nearest(new, 1) == ["bob"]
    assert old._catalogue.find().serving is None
    engine.dispose()


@pytest.mark.parametrize("call_number", [0, 1], ids=["indexes of the state", "indexes of the faces"])
def test_a_collection_whose_maker_ended_before_its_indexes_is_finished_by_the_next(
    sqlite_store: GalleryStore,
    opened: Callable[..., MilvusIndex],
    monkeypatch: pytest.MonkeyPatch,
    options: MilvusOptions,
    call_number: int,
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    with monkeypatch.context() as patched:
        crash_at(patched, call_number, when="before", methods={"create_index"})
        with pytest.raises(Crash):
            catch_up(sqlite_store, opened())
    index = opened()
    catch_up(sqlite_store, index)
    assert_equal_to_database(sqlite_store, index, {"default": {"ada": [1]}})
    connection = MilvusConnection(options)
    assert len(connection.call("list_indexes", served(connection))) == 4  # the vector, and what rows are looked up by
    connection.close()


def test_faces_of_a_gallery_that_came_and_went_around_an_unfinished_batch_are_deleted(
    sqlite_store: GalleryStore,
    opened: Callable[..., MilvusIndex],
    monkeypatch: pytest.MonkeyPatch,
    options: MilvusOptions,
) -> None:
    sqlite_store.add("default", "ada", [new_face(1)])
    first = opened()
    catch_up(sqlite_store, first)
    sqlite_store.create_gallery("site-b")
    sqlite_store.add("site-b", "bob", [new_face(2)])
    with monkeypatch.context() as patched:
        crash_at(patched, 1, when="after")  # the faces are written, and not that they are
        with pytest.raises(Crash):
            catch_up(sqlite_store, first)
    connection = MilvusConnection(options)
    assert faces_in(connection) == 2
    sqlite_store.drop_gallery("site-b")
    second = opened()
    catch_up(sqlite_store, second)
    assert_equal_to_database(sqlite_store, second, {"default": {"ada": [1]}})
    assert faces_in(connection) == 1
    connection.close()


def served(connection: MilvusConnection) -> str:
    name = Catalogue(connection, MODEL_ID, EMBEDDING_SIZE).serving()
    assert name is not None
    return name


def faces_in(connection: MilvusConnection) -> int:
    """Of all galleries, also of those that are none any more."""
    return sum(len(page) for page in connection.rows(served(connection), "id >= 0", ["id"]))
