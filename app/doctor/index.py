"""The index on Milvus: whether it answers, and how far it is. It is read and not changed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.doctor.finding import Finding, ok, warning, wrong
from app.errors import NotReady, SamefaceError, for_operator
from app.settings import Settings, variable

if TYPE_CHECKING:
    from app.gallery.milvus.connection import MilvusConnection


def examine_index(settings: Settings) -> Iterator[Finding]:
    """`index`, where it is on Milvus; each process makes the other kind for itself."""
    if settings.index != "milvus":
        return
    from app.gallery.milvus.connection import MilvusConnection
    from app.gallery.opening import check_milvus

    try:
        options = check_milvus(settings)
    except SamefaceError as error:
        yield wrong("index", error.message, "docs/milvus.md.")
        return
    connection = MilvusConnection(options)
    try:
        version = connection.call("get_server_version")
        yield ok("index", f"Milvus {version} answers")
        yield from _collections(connection)
    except NotReady as error:
        advice = f"Start it, or correct {variable('milvus_uri')}; nobody is identified without it, enrolments wait."
        yield wrong("index", f"Milvus does not answer: {for_operator(error)}", advice)
    finally:
        connection.close()
    if settings.encrypts_templates:
        advice = "Encrypt its disks and object storage; docs/milvus.md."
        yield warning("index", "Milvus holds in clear the vectors that are encrypted in the database", advice)


def _collections(connection: "MilvusConnection") -> Iterator[Finding]:
    """Those that an alias names: one for each model that was ever served and not forgotten."""
    from app.gallery.milvus.progress import read_progress
    from app.gallery.milvus.schema import STATE_SUFFIX, is_loaded

    names = set(connection.call("list_collections"))
    for name in sorted(names):
        if name.startswith(connection.options.collection + "_") and name + STATE_SUFFIX in names:
            serves = "serves" if connection.call("list_aliases", name)["aliases"] else "does not serve"
            if is_loaded(connection, name + STATE_SUFFIX):
                yield ok("index", f"{name} {serves} and is at revision {read_progress(connection, name).revision}")
            else:
                yield ok("index", f"{name} {serves} and is not loaded; a service loads it when it starts")
