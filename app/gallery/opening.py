"""The index that the settings choose."""

from typing import TYPE_CHECKING

from app.errors import ConfigurationError
from app.gallery.index import GalleryIndex
from app.settings import Settings, variable

if TYPE_CHECKING:
    import sqlalchemy as sa

    from app.gallery.milvus.connection import MilvusOptions
    from app.gallery.milvus.index import MilvusIndex


def open_index(settings: Settings, engine: "sa.Engine", model_id: str, embedding_size: int) -> GalleryIndex:
    """An empty index in memory, or one on Milvus, which need not answer yet.

    Raises ConfigurationError where a package is missing, or where Milvus would hold in clear what is encrypted.
    """
    if settings.index == "milvus":
        return open_milvus(settings, engine, model_id, embedding_size)
    from app.gallery.faiss_index import FaissIndex

    return FaissIndex(embedding_size, compress_above_faces=settings.compress_above_faces)


def open_milvus(settings: Settings, engine: "sa.Engine", model_id: str, embedding_size: int) -> "MilvusIndex":
    """The index on Milvus. Raises ConfigurationError, also where another one is configured."""
    from app.gallery.election import open_election
    from app.gallery.milvus.catalogue import alias_of
    from app.gallery.milvus.index import MilvusIndex

    if settings.index != "milvus":
        raise ConfigurationError(f"{variable('index')} is {settings.index}, which every process makes for itself")
    options = check_milvus(settings)
    election = open_election(engine, alias_of(options.collection, model_id))
    return MilvusIndex(options, model_id, embedding_size, election)


def check_milvus(settings: Settings) -> "MilvusOptions":
    """What the settings say of Milvus. Raises ConfigurationError where it cannot be used so."""
    from app.gallery.milvus.connection import MilvusOptions, check_installed

    ca_file = settings.milvus_ca_file
    if ca_file is not None and not ca_file.is_file():
        raise ConfigurationError(f"{variable('milvus_ca_file')}={ca_file}: there is no such file")
    options = MilvusOptions(
        uri=settings.milvus_uri,
        token=_token(settings),
        ca_file=ca_file,
        server_name=settings.milvus_server_name,
        timeout_seconds=settings.milvus_timeout_seconds,
        collection=settings.milvus_collection,
        shards=settings.milvus_shards,
        replicas=settings.milvus_replicas,
        index_type=settings.milvus_index_type,
        index_params=settings.milvus_index_params,
        search_params=settings.milvus_search_params,
        consistency=settings.milvus_consistency,
        compact_interval_seconds=settings.milvus_compact_interval_seconds,
    )
    check_installed(options)
    _check_clear_vectors(settings)
    return options


def _token(settings: Settings) -> str:
    file = settings.milvus_token_file
    if file is None:
        return "" if settings.milvus_token is None else settings.milvus_token.get_secret_value()
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{variable('milvus_token_file')}={file}: {error.strerror}") from None


def _check_clear_vectors(settings: Settings) -> None:
    if settings.encrypts_templates and not settings.milvus_clear_vectors:
        raise ConfigurationError(
            "embeddings are encrypted in the database, and Milvus, which has to compare them, would hold them in "
            f"clear, in memory and on its disks. Encrypt those, then set {variable('milvus_clear_vectors')}=true; "
            f"or leave {variable('index')} at faiss"
        )
