"""Where galleries are searched: in each process, or on Milvus."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator


class IndexSettings(BaseModel):
    """The settings of the index; docs/milvus.md explains those of Milvus."""

    index: Literal["faiss", "milvus"] = Field(
        "faiss",
        description="Where galleries are searched: `faiss`, in the memory of each process, or `milvus`, on servers of "
        "its own, which needs the extra `milvus`. See `docs/milvus.md`.",
    )
    milvus_uri: str = Field(
        "http://127.0.0.1:19530",
        min_length=1,
        description="Where Milvus is: `http://`, or `https://` for TLS, with host and port, and after a slash the name "
        "of a database of Milvus if it is not the default one; or a file that ends in `.db` for milvus-lite.",
    )
    milvus_token: SecretStr | None = Field(
        None, description="What Milvus knows this service by: `user:password`, or an API key."
    )
    milvus_token_file: Path | None = Field(
        None, description="A file with that token and nothing else, instead of `SAMEFACE_MILVUS_TOKEN`."
    )
    milvus_ca_file: Path | None = Field(
        None, description="Certificates that Milvus's own is checked against, in PEM; unset, the system's."
    )
    milvus_server_name: str | None = Field(
        None, min_length=1, description="The name in Milvus's certificate, where it is not the host's in the URI."
    )
    milvus_timeout_seconds: float = Field(
        10.0,
        gt=0,
        le=600,
        description="How long one call of Milvus may take; retries included, a request waits for at most twice that.",
    )
    milvus_collection: str = Field(
        "sameface",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$",
        description="What the names of the collections begin with. Two databases must not share one.",
    )
    milvus_shards: int = Field(
        1, ge=1, le=16, description="Shards of a collection, which take in writes side by side; of new ones only."
    )
    milvus_replicas: int = Field(
        1, ge=1, le=64, description="In how many query nodes each part of a collection is held; of new ones only."
    )
    milvus_index_type: Literal["FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW", "HNSW_SQ", "DISKANN", "AUTOINDEX"] = Field(
        "FLAT",
        description="How Milvus finds the nearest faces, of new collections only: `FLAT` compares all, so that nobody "
        "is missed; the others are faster and miss some.",
    )
    milvus_index_params: dict[str, Any] = Field(
        {}, description='Parameters of that index as JSON, such as `{"M": 32, "efConstruction": 360}`.'
    )
    milvus_search_params: dict[str, Any] = Field(
        {}, description='Parameters of its searches as JSON, such as `{"ef": 256}`.'
    )
    milvus_consistency: Literal["Strong", "Bounded"] = Field(
        "Strong",
        description="How searches see writes: `Strong` waits for all that were acknowledged, `Bounded` does so only "
        "for ten seconds after this process has heard of one.",
    )
    milvus_compact_interval_seconds: float = Field(
        3600.0,
        ge=0,
        description="How soon after an erasure Milvus is told to write its files anew without what was erased, at most "
        "once in so long.",
    )
    milvus_clear_vectors: bool = Field(
        False,
        description="Accept that Milvus holds in clear what the template keys encrypt in the database; without it the "
        "service does not start with both.",
    )

    @field_validator("milvus_uri")
    @classmethod
    def _uri_is_one(cls, value: str) -> str:
        if not value.startswith(("http://", "https://", "unix:")) and not value.endswith(".db"):
            raise ValueError("the URI must begin with http:// or https://, or be a file that ends in .db")
        return value

    @model_validator(mode="after")
    def _one_token(self) -> "IndexSettings":
        if self.milvus_token is not None and self.milvus_token_file is not None:
            raise ValueError("give SAMEFACE_MILVUS_TOKEN or SAMEFACE_MILVUS_TOKEN_FILE, not both")
        return self
