"""Every knob of the service. Read once from the environment, then passed to whatever needs it.

`SAMEFACE_PORT=9000` sets `port`. There is no instance at module level: `load_settings()` makes one.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.database_url import with_secrets
from app.errors import ConfigurationError

PREFIX = "SAMEFACE_"
# What `app.client` and the commands that use it read; the service does not.
CLIENT_VARIABLES = {"SAMEFACE_SERVER", "SAMEFACE_API_KEY"}
REPOSITORY = Path(__file__).resolve().parent.parent


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """What can be configured, with the reason in a sentence; docs/configuration.md is this class as a table."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # Serving
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        description="TCP port to listen on; 0 lets the system choose. On Kubernetes a Service named `sameface` makes "
        "the cluster set this variable to a URL: set `enableServiceLinks: false` on the pod.",
    )
    allow_unauthenticated_public: bool = Field(
        False,
        description="Serve other machines although there is no API key and callers are not authenticated. Set it only "
        "behind something that authenticates them; once a key was made, keys are asked for all the same.",
    )
    key_refresh_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="How soon an API key that was made or revoked is so here; requests never wait for the database to "
        "be authenticated.",
    )
    cors_origins: str | None = Field(
        None,
        description="Origins whose pages may call from a browser, such as `https://a.example,https://b.example:8443`; "
        "`*` is every one. Unset, none but the service's own.",
    )
    compreface: bool = Field(
        False, description="Serve the REST API of CompreFace too, under `/api/v1`, for clients that were made for it."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or plain text.")
    shutdown_grace_seconds: int = Field(
        20, ge=1, description="How long requests in progress may take to finish when the service is told to stop."
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="On SIGTERM, how long the service goes on answering while `/health/ready` says 503, so that the "
        "proxies in front send their requests elsewhere; then it takes no more connections.",
    )
    keep_alive_seconds: int = Field(
        75,
        ge=1,
        le=3600,
        description="How long an idle connection is kept; a proxy in front should give up its own before that.",
    )

    # Storage
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
        "exactly; in smaller ones all are compared exactly.",
    )

    # Keeping and forgetting
    store_crops: bool = Field(
        False,
        description="Keep an aligned crop of each face that is enrolled from now on, for people to look at and for "
        "`sameface reembed` when the model changes. It is a photograph of the person: encrypted with the template key "
        "if there is one, erased with the face.",
    )
    template_keys: SecretStr | None = Field(
        None,
        description="Keys that embeddings are encrypted with in the database (AES-256-GCM): 32 random bytes each, in "
        "base64, separated by commas. The first one encrypts, all of them decrypt.",
    )
    template_keys_file: Path | None = Field(
        None, description="A file with the template keys, one a line, instead of `SAMEFACE_TEMPLATE_KEYS`."
    )
    idempotency_hours: float = Field(
        24.0,
        gt=0,
        le=8760,
        description="How long the answer to an enrolment is kept for a repetition under its `Idempotency-Key`; it goes "
        "before that when the subject is erased.",
    )
    sweep_interval_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="How often subjects whose `expires_at` is over are erased; until then they can be found.",
    )
    audit_decisions: bool = Field(
        False,
        description="Record each decision of a verification or identification in the audit log, as enrolments and "
        "erasures always are.",
    )
    audit_retention_days: int | None = Field(
        None, ge=1, le=36_500, description="How long entries of the audit log are kept; unset, for ever."
    )
    max_audit_queue: int = Field(
        10_000,
        ge=1,
        description="Most decisions that wait for the audit log; one more is answered 503 `overloaded`, because it "
        "could not be recorded.",
    )

    # Model
    weights_dir: Path = Field(
        REPOSITORY / "models" / "weights", description="Folder of the ONNX files; by default the repository's own."
    )
    model: str = Field(
        "facenet-nn2-128", min_length=1, description="Name of the embedding model's file, without `.onnx`."
    )
    start_without_faces: bool = Field(
        False,
        description="Start although faces are stored of other models and none of the served one; for enrolling them "
        "again after a change of the model where no crops were kept.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the networks run; `cuda` needs the `gpu` extra.")
    image_workers: int = Field(
        default_factory=_available_cores,
        ge=1,
        le=256,
        description="Threads that decode photographs and find faces; by default one a core.",
    )
    detector_threads: int = Field(1, ge=1, le=256, description="ONNX Runtime threads that share one detection.")
    embedder_threads: int = Field(
        default_factory=_available_cores,
        ge=1,
        le=256,
        description="ONNX Runtime threads that share one batch of faces; by default one a core.",
    )
    min_face_px: float = Field(
        40.0, ge=12, description="Shorter side of the smallest face that is looked for, in pixels of the photograph."
    )

    # Quality, required of a face to be enrolled; docs/quality.md
    quality_min_face_px: float = Field(
        24.0, ge=0, description="Shorter side of the smallest face that may be enrolled, in pixels of the photograph."
    )
    quality_min_eye_distance_px: float = Field(
        12.0, ge=0, description="Least distance between the eyes of a face that may be enrolled, in pixels."
    )
    quality_max_yaw_degrees: float = Field(
        50.0, ge=0, le=180, description="Farthest turn to the left or right of a face that may be enrolled."
    )
    quality_max_pitch_degrees: float = Field(
        45.0, ge=0, le=180, description="Farthest turn up or down of a face that may be enrolled."
    )
    quality_max_roll_degrees: float = Field(
        75.0, ge=0, le=180, description="Farthest tilt of a face that may be enrolled."
    )
    quality_min_sharpness: float = Field(
        0.13,
        ge=0,
        description="Least sharpness of a face that may be enrolled: deviation of the Laplacian over the luma's.",
    )
    quality_min_brightness: float = Field(
        0.08, ge=0, le=1, description="Least brightness of a face that may be enrolled: the mean of its luma, 0 to 1."
    )
    quality_max_brightness: float = Field(
        0.94, ge=0, le=1, description="Greatest brightness of a face that may be enrolled."
    )
    quality_min_contrast: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Least contrast of a face that may be enrolled: the deviation of its luma.",
    )
    quality_min_confidence: float = Field(
        0.95, ge=0, le=1, description="Least confidence of the detector in a face that may be enrolled."
    )
    quality_max_outside_share: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Greatest share of the crop of a face that may be enrolled which the photograph's frame cuts off.",
    )

    # Decisions
    threshold: float | None = Field(
        None,
        ge=0,
        le=4,
        allow_inf_nan=False,
        description="Squared L2 distance below which `/verify` says yes; unset, the model card's default.",
    )
    fpir: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Chance that a stranger is given any name at all by `/identify`, from which the threshold for a "
        "gallery's size follows.",
    )

    # Limits
    max_image_bytes: int = Field(10_000_000, ge=1, description="Largest image file.")
    max_image_pixels: int = Field(25_000_000, ge=1, description="Largest image, width times height.")
    max_request_bytes: int = Field(20_000_000, ge=1, description="Largest request body, counted while it streams.")
    max_enroll_images: int = Field(10, ge=1, le=100, description="Most images in one enrolment.")
    max_cluster_images: int = Field(100, ge=1, le=200, description="Most images in one request for groups.")
    max_cluster_images_at_once: int = Field(
        20, ge=1, description="Most of them that are answered at once; more become a job, which is answered 202."
    )
    max_cluster_jobs: int = Field(
        8, ge=1, le=1000, description="Most such jobs in memory, finished ones included; one more is answered 503."
    )
    cluster_job_keep_seconds: float = Field(
        600.0, gt=0, le=86_400, description="How long a job that has ended is kept for its caller."
    )
    max_cluster_faces: int = Field(1000, ge=1, le=10_000, description="Most faces in all images of such a request.")
    max_faces_per_subject: int = Field(100, ge=1, description="Most faces that one subject may have.")
    max_top_k: int = Field(100, ge=1, le=1000, description="Most candidates that one identification may ask for.")
    max_metadata_bytes: int = Field(4096, ge=2, description="Largest metadata of a subject, as JSON in UTF-8.")
    rate_limit: str | None = Field(
        None,
        description="Most requests of one API key (without keys: of one address), such as `20/second;1000/hour`; one "
        "more is answered 429 `rate_limited`. A key may have a rate of its own (`sameface keys create --rate-limit`). "
        "Each process counts for itself. Unset, any number.",
    )
    max_requests_in_flight: int = Field(
        64, ge=1, description="Requests worked on at once; one more is answered 503 `overloaded` at once."
    )
    request_deadline_seconds: float = Field(
        30.0, gt=0, description="Longest a request may take, its upload included; then it is answered 504."
    )
    header_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest the headers of a request may take to come; then the connection is closed."
    )
    max_header_bytes: int = Field(
        65_536, ge=1024, description="About the most bytes of a request's headers; one with more is answered 431."
    )
    upload_idle_seconds: float = Field(
        10.0, gt=0, description="Longest silence within an upload; then the request is answered 504."
    )
    max_embed_batch: int = Field(16, ge=1, description="Most faces in one run of the embedding network.")
    max_embed_queue: int = Field(512, ge=1, description="Most faces that wait for the embedding network.")
    max_search_batch: int = Field(64, ge=1, description="Most probes in one search of the index.")
    max_search_queue: int = Field(512, ge=1, description="Most probes that wait for a search.")

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
    def audit_retention(self) -> timedelta | None:
        """How long entries of the audit log are kept; None for ever."""
        return None if self.audit_retention_days is None else timedelta(days=self.audit_retention_days)

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_some(cls, value: str | None) -> str | None:
        for origin in [] if value is None else value.split(","):
            if not re.fullmatch(r"\*|https?://[^/\s*]+", origin.strip()):
                raise ValueError(f"{origin.strip()!r} is no origin; one is written like https://a.example:8443")
        return value

    @field_validator("rate_limit")
    @classmethod
    def _rate_is_one(cls, value: str | None) -> str | None:
        if value is not None:
            check_rate(value)
        return value

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, if it is one."""
        _, found, path = self.database_url.partition(":///")
        return Path(path.partition("?")[0]) if found and self.database_url.startswith("sqlite") else None

    @property
    def loopback_only(self) -> bool:
        """Whether no other machine can reach `host`."""
        return is_loopback(self.host)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` win. Raises ConfigurationError naming each variable at fault."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = "\n".join(f"  {_describe(fault)}" for fault in error.errors(include_url=False))
        raise ConfigurationError(f"the configuration is not usable:\n{faults}") from None


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each SAMEFACE_ variable that no setting reads, with the nearest name that one does."""
    known = {variable(name) for name in Settings.model_fields} | CLIENT_VARIABLES
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            yield f"{name} is not a setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def markdown_table() -> str:
    """Every setting with its default and description, as docs/configuration.md shows it."""
    rows = [
        f"| `{variable(name)}` | {_default_text(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows])


def check_rate(text: str) -> None:
    """Raise ValueError for what is no rate of requests."""
    from limits import parse_many  # slow to import, and only some need it

    try:
        rates = parse_many(text)
    except ValueError:
        rates = []
    if not rates or any(rate.amount < 1 for rate in rates):
        raise ValueError("a rate is written like 20/second, 600/minute or 20/second;1000/hour")


def _describe(fault: ErrorDetails) -> str:
    if not fault["loc"]:
        return fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][0])
    description = Settings.model_fields[name].description if name in Settings.model_fields else "no such setting"
    # A database URL may hold a password.
    given = "" if name in ("database_url", "template_keys") else f"={fault['input']!s}"
    return f"{variable(name)}{given}: {fault['msg'].removeprefix('Value error, ')}. {description}"


def _default_text(default: Any) -> str:
    if default is None:
        return "unset"
    if isinstance(default, Path):
        return f"`{default.relative_to(REPOSITORY)}`"
    if isinstance(default, str | int | float):
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"
    return "cores"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
