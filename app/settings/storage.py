"""Which database, and how the index follows it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, field_validator, model_validator

from app.database_url import with_secrets


class StorageSettings(BaseModel):
    """The database and the index."""

    database_url: str = Field(
        "sqlite:///data/sameface.db",
        min_length=1,
        repr=False,
        description="SQLAlchemy URL of the database, SQLite or PostgreSQL (`postgresql+psycopg://...`).",
    )
    database_url_file: Path | None = Field(
        None, description="A file with that URL and nothing else, instead of `SAMEFACE_DATABASE_URL`."
    )
    database_password_file: Path | None = Field(
        None,
        description="A file with the password of PostgreSQL, for a `SAMEFACE_DATABASE_URL` that has a user and no "
        "password.",
    )
    database_workers: int = Field(8, ge=1, le=256, description="Threads that wait for the database.")
    follow_interval_seconds: float = Field(
        1.0,
        gt=0,
        description="How often the index asks the database for changes made by other replicas; PostgreSQL also sends "
        "word of them at once.",
    )
    index_wait_seconds: float = Field(
        5.0,
        gt=0,
        description='How long an enrolment waits until it can be found here; after that it answers `"indexed": false`.',
    )
    max_index_lag_seconds: float = Field(
        30.0, gt=0, description="Readiness says `degraded` when the index has not followed the database for this long."
    )
    min_free_disk_bytes: int = Field(
        100_000_000,
        ge=0,
        description="Readiness says `degraded` when less room than this is left on the disk of a SQLite database.",
    )
    start_wait_seconds: float = Field(
        600.0, gt=0, description="How long the first load of the index may take at start before the service gives up."
    )
    compress_above_faces: int = Field(
        2_000_000,
        ge=0,
        description="Galleries with more faces are searched in compressed form first, and the nearest of them compared "
        "exactly; in smaller ones, and in all of up to 131,072, all are compared exactly.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_database_files(cls, given: Any) -> Any:
        return with_secrets(given) if isinstance(given, dict) else given

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        if not value.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:")):
            raise ValueError("the URL must begin with sqlite: or postgresql+psycopg:")
        return value

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, if it is one."""
        _, found, path = self.database_url.partition(":///")
        return Path(path.partition("?")[0]) if found and self.database_url.startswith("sqlite") else None
