"""`sameface rotate-key`: another key for the templates at rest."""

import json

import typer

from app.commands.connection import AsJson
from app.commands.database import opened_database
from app.commands.progress import follow
from app.errors import ConfigurationError, NotReady
from app.terminal import ExitStatus


def rotate_key(as_json: AsJson = False) -> None:
    """Encrypt every template and crop with the first template key, while the service runs; may be begun again.

    Exit 1 if some are left.
    """
    from app.gallery.audit import entry
    from app.gallery.rotation import count_to_rotate, rotate
    from app.gallery.sealing import read_keys
    from app.gallery.store import GalleryStore
    from app.settings import variable

    with opened_database(as_json=as_json) as (settings, engine):
        keys = read_keys(settings.template_keys, settings.template_keys_file)
        if keys.primary is None:
            raise ConfigurationError(
                f"there is no template key to encrypt with; set {variable('template_keys')} or "
                f"{variable('template_keys_file')}"
            )
        follow("templates", count_to_rotate(engine, keys), rotate(engine, keys))
        store = GalleryStore(engine, "")
        store.record([entry("rotate_key", template_key_id=keys.primary_id)])
        if not store.purge():
            raise NotReady(
                f"all that could be is encrypted with key {keys.primary_id}, but SQLite's write-ahead log still holds "
                "it as it was while somebody reads; run this again"
            )
        left = count_to_rotate(engine, keys)
    done = f"all templates and crops are encrypted with key {keys.primary_id}"
    facts = json.dumps({"key_id": keys.primary_id, "left": left})
    remaining = f"{left} are not: written by a service with the old key, or altered and named above; run this again"
    typer.echo(facts if as_json else remaining if left else done)
    if left:
        raise typer.Exit(ExitStatus.NO)
