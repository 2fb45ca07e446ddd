"""`sameface rebuild-index`: another collection on Milvus, made from the database while the old one serves."""

import json
import sys
import time
from typing import TYPE_CHECKING

import typer

from app.commands.connection import AsJson
from app.commands.database import opened_database
from app.commands.model import open_embedder
from app.errors import NotReady

if TYPE_CHECKING:
    from app.gallery.milvus.index import MilvusIndex
    from app.gallery.store import GalleryStore

_LOOK_SECONDS = 0.5


def rebuild_index(as_json: AsJson = False) -> None:
    """Build the index on Milvus anew from the database while the old one serves; the elected writer does it.

    That is a running service, or this command where there is none. Stopping it stops this command alone: whoever feeds
    the index goes on. The old collection is dropped a minute after the new one serves.
    """
    from app.gallery.follower import GalleryFollower
    from app.gallery.opening import open_milvus
    from app.gallery.sealing import read_keys
    from app.gallery.store import GalleryStore

    with opened_database(as_json=as_json) as (settings, engine):
        card = open_embedder(settings).card
        keys = read_keys(settings.template_keys, settings.template_keys_file)
        store = GalleryStore(engine, card.id, keys)
        index = open_milvus(settings, engine, card.id, card.embedding_size)
        follower = GalleryFollower(store, index, interval_seconds=settings.follow_interval_seconds)
        try:
            wanted = index.request_rebuild()
            follower.start()
            _wait(index, store, wanted)
        finally:
            follower.stop()
            index.close()
    _, subjects, faces = index.sizes
    facts = {"collection": wanted, "revision": index.revision, "subjects": subjects, "faces": faces}
    sentence = f"{wanted} serves, with {faces} faces of {subjects} subjects at revision {index.revision}"
    typer.echo(json.dumps(facts) if as_json else sentence)


def _wait(index: "MilvusIndex", store: "GalleryStore", wanted: str) -> None:
    """Until the collection serves. Raises NotReady where somebody asked for a later one meanwhile."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=sys.stderr)) as progress:
        bar = progress.add_task("revisions", total=store.revision())
        while index.serving != wanted:
            built = index.built_revision(wanted)
            if built is None and index.serving != wanted:
                raise NotReady(f"the collection {wanted} was given up; another one is being built instead")
            progress.update(bar, completed=built, total=store.revision())
            time.sleep(_LOOK_SECONDS)
