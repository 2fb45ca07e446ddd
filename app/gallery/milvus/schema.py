"""How collections are made: the faces with their vector index, and beside them what the collection says of itself."""

from typing import Any

from app.gallery.milvus.connection import MilvusConnection, MilvusOptions
from app.gallery.milvus.faces import MAX_NAME_BYTES, MAX_SUBJECT_ID_BYTES, VECTOR

# Milvus wants numbers for these; the operator's `index_params` and `search_params` win.
INDEX_PARAMS: dict[str, dict[str, Any]] = {
    "FLAT": {},
    "IVF_FLAT": {"nlist": 4096},
    "IVF_SQ8": {"nlist": 4096},
    "HNSW": {"M": 32, "efConstruction": 360},
    "HNSW_SQ": {"M": 32, "efConstruction": 360, "sq_type": "SQ8"},
    "DISKANN": {},
    "AUTOINDEX": {},
}
SEARCH_PARAMS: dict[str, dict[str, Any]] = {
    "IVF_FLAT": {"nprobe": 128},
    "IVF_SQ8": {"nprobe": 128},
    "HNSW": {"ef": 256},
    "HNSW_SQ": {"ef": 256},
    "DISKANN": {"search_list": 256},
}
# These look at so many rows at most, and must at no fewer than they are to find.
_BREADTH = {"HNSW": "ef", "HNSW_SQ": "ef", "DISKANN": "search_list"}
# Looked up by these, besides the primary key.
_LOOKUPS = ("subject_key", "subject_hash", "face_high")
STATE_SUFFIX = "_state"
MAX_DOCUMENT_BYTES = 4096


def search_params(index_type: str, given: dict[str, Any], limit: int) -> dict[str, Any]:
    """Parameters of a search for `limit` rows."""
    params = SEARCH_PARAMS.get(index_type, {}) | given
    if breadth := _BREADTH.get(index_type):
        params[breadth] = max(params[breadth], limit)
    return {"metric_type": "L2", "params": params}


def create_collection(connection: MilvusConnection, name: str, embedding_size: int) -> None:
    """Make an empty collection with its state beside it, both loaded."""
    _create_state(connection, name + STATE_SUFFIX)
    _create_faces(connection, name, embedding_size)
    ensure_loaded(connection, name)


def ensure_loaded(connection: MilvusConnection, name: str) -> None:
    """Load a collection and its state where they are not: they are new, released, or milvus-lite started anew.

    Indexes that are missing are made first, for whoever made the collection may have ended before it came to them.
    """
    for collection, indexes in ((name + STATE_SUFFIX, _state_indexes()), (name, _face_indexes(connection.options))):
        _make_indexes(connection, collection, indexes)
        if not is_loaded(connection, collection):
            connection.call("load_collection", collection, replica_number=connection.options.replicas)


def is_loaded(connection: MilvusConnection, collection: str) -> bool:
    """Whether a collection can be asked, or will be soon."""
    return bool(connection.call("get_load_state", collection)["state"].name != "NotLoad")


def _create_faces(connection: MilvusConnection, name: str, embedding_size: int) -> None:
    from pymilvus import DataType, MilvusClient

    options = connection.options
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("gallery_key", DataType.INT64, is_partition_key=True)
    for field in ("subject_key", "subject_hash", "face_high", "face_low"):
        schema.add_field(field, DataType.INT64)
    schema.add_field("subject_id", DataType.VARCHAR, max_length=MAX_SUBJECT_ID_BYTES)
    schema.add_field("name", DataType.VARCHAR, max_length=MAX_NAME_BYTES, nullable=True)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=embedding_size)
    connection.call("create_collection", name, schema=schema, num_shards=options.shards, consistency_level="Strong")


def _create_state(connection: MilvusConnection, name: str) -> None:
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.INT64, is_primary=True)
    schema.add_field("revision", DataType.INT64)
    schema.add_field("document", DataType.VARCHAR, max_length=MAX_DOCUMENT_BYTES)
    schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=2)  # no collection may be without one
    connection.call("create_collection", name, schema=schema, num_shards=1, consistency_level="Strong")


def _face_indexes(options: MilvusOptions) -> Any:
    from pymilvus import MilvusClient

    indexes = MilvusClient.prepare_index_params()
    params = INDEX_PARAMS[options.index_type] | dict(options.index_params)
    indexes.add_index(VECTOR, index_type=options.index_type, metric_type="L2", params=params)
    for field in _LOOKUPS:
        indexes.add_index(field, index_type="INVERTED")
    return indexes


def _state_indexes() -> Any:
    from pymilvus import MilvusClient

    indexes = MilvusClient.prepare_index_params()
    indexes.add_index(VECTOR, index_type="FLAT", metric_type="L2")
    return indexes


def _make_indexes(connection: MilvusConnection, name: str, indexes: Any) -> None:
    """Make those of a collection's indexes that it lacks."""
    from pymilvus import MilvusClient

    made = {_indexed(connection, name, index) for index in connection.call("list_indexes", name)}
    missing = MilvusClient.prepare_index_params()
    missing.extend(index for index in indexes if index.field_name not in made)
    if missing:
        connection.call("create_index", name, missing)


def _indexed(connection: MilvusConnection, name: str, index: str) -> str:
    """The field that an index is of."""
    return str(connection.call("describe_index", name, index)["field_name"])
