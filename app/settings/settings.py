"""`Settings`, all topics together, and how they are read, named and documented."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import ConfigurationError
from app.settings.decisions import DecisionSettings
from app.settings.index import IndexSettings
from app.settings.limits import LimitSettings
from app.settings.model import REPOSITORY, ModelSettings
from app.settings.quality import QualitySettings
from app.settings.retention import RetentionSettings
from app.settings.serving import ServingSettings
from app.settings.storage import StorageSettings

PREFIX = "SAMEFACE_"
# What `app.client` and the commands that use it read; the service does not.
CLIENT_VARIABLES = {"SAMEFACE_SERVER", "SAMEFACE_API_KEY"}

_CORES = "cores"  # the default of what is computed at start


# Pydantic collects fields from the last base on; docs/configuration.md has them in that order.
class Settings(
    LimitSettings,
    DecisionSettings,
    QualitySettings,
    ModelSettings,
    RetentionSettings,
    IndexSettings,
    StorageSettings,
    ServingSettings,
    BaseSettings,
):
    """What can be configured, with the reason in a sentence; docs/configuration.md is this class as a table."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")


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


def described() -> list[dict[str, str | None]]:
    """Every setting as `variable`, `default` and `description`; the default is text as the variable would have it.

    None is no default, and `cores` the number of cores that this process may use.
    """
    return [
        {"variable": variable(name), "default": _default_text(field.default), "description": field.description}
        for name, field in Settings.model_fields.items()
    ]


def markdown_table() -> str:
    """The same as docs/configuration.md shows it."""
    rows = [f"| `{row['variable']}` | {_shown(row['default'])} | {row['description']} |" for row in described()]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows])


def _describe(fault: ErrorDetails) -> str:
    if not fault["loc"]:
        return fault["msg"].removeprefix("Value error, ")
    name = str(fault["loc"][0])
    description = Settings.model_fields[name].description if name in Settings.model_fields else "no such setting"
    # A database URL may hold a password.
    given = "" if name in ("database_url", "template_keys", "milvus_token", "milvus_uri") else f"={fault['input']!s}"
    return f"{variable(name)}{given}: {fault['msg'].removeprefix('Value error, ')}. {description}"


def _default_text(default: Any) -> str | None:
    if default is None or default == {}:
        return None
    if isinstance(default, Path):
        return str(default.relative_to(REPOSITORY))
    if isinstance(default, str | int | float):
        return str(default).lower() if isinstance(default, bool) else str(default)
    return _CORES


def _shown(default: str | None) -> str:
    if default is None:
        return "unset"
    return default if default == _CORES else f"`{default}`"
