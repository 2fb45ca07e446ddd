"""Where the service listens, to whom, and how it starts and stops."""

import ipaddress
import re
from typing import Literal

from pydantic import BaseModel, Field, field_validator


class ServingSettings(BaseModel):
    """Address, callers, log, and the end of a connection and of the process."""

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

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_some(cls, value: str | None) -> str | None:
        for origin in [] if value is None else value.split(","):
            if not re.fullmatch(r"\*|https?://[^/\s*]+", origin.strip()):
                raise ValueError(f"{origin.strip()!r} is no origin; one is written like https://a.example:8443")
        return value

    @property
    def loopback_only(self) -> bool:
        """Whether no other machine can reach `host`."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
