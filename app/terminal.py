"""What every command begins with: the settings, and mistakes told in a sentence with an exit status of their own."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

import typer

from app import logs
from app.errors import (
    AccessDenied,
    BadInput,
    BadRequest,
    Conflict,
    FarNotSupported,
    NotFound,
    RateLimited,
    SamefaceError,
    Unavailable,
    for_operator,
)

if TYPE_CHECKING:
    from app.settings import Settings

logger = logging.getLogger(__name__)


class ExitStatus(IntEnum):
    """How a command ends; docs/commands.md is this list with examples."""

    YES = 0
    NO = 1
    USAGE = 2
    CANNOT_RUN = 3
    PHOTOGRAPH = 4
    UNAVAILABLE = 5
    DENIED = 6
    NOT_FOUND = 7
    CONFLICT = 8
    INTERRUPTED = 130


# The first kind that fits.
_STATUS_OF: tuple[tuple[type[SamefaceError], ExitStatus], ...] = (
    (BadRequest, ExitStatus.USAGE),
    (FarNotSupported, ExitStatus.USAGE),
    (BadInput, ExitStatus.PHOTOGRAPH),
    (RateLimited, ExitStatus.UNAVAILABLE),
    (AccessDenied, ExitStatus.DENIED),
    (NotFound, ExitStatus.NOT_FOUND),
    (Conflict, ExitStatus.CONFLICT),
    (Unavailable, ExitStatus.UNAVAILABLE),
)


def status_of(error: SamefaceError) -> ExitStatus:
    """The exit status that an error stands for."""
    return next((status for kind, status in _STATUS_OF if isinstance(error, kind)), ExitStatus.CANNOT_RUN)


def read_settings(**overrides: object) -> "Settings":
    """Settings from the environment, except where an option was given; begins the log."""
    from app.settings import load_settings, unknown_variables

    given = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    logs.configure_logging(given.log_level, given.log_format)
    for sentence in unknown_variables(os.environ):
        logger.warning(sentence)
    return given


def quiet_settings(**overrides: object) -> "Settings":
    """The same for a command whose own words are what counts: errors are logged, unless SAMEFACE_LOG_LEVEL is set."""
    return read_settings(**{"log_level": None if "SAMEFACE_LOG_LEVEL" in os.environ else "error", **overrides})


@contextmanager
def plain_errors(*, as_json: bool = False) -> Iterator[None]:
    """A mistake is a sentence on standard error and an exit status, not a traceback; for scripts also JSON."""
    try:
        yield
    except SamefaceError as error:
        typer.echo(f"sameface: {for_operator(error)}", err=True)
        if as_json:
            facts = {"code": error.code, "detail": error.message, "field": error.field, **error.facts}
            typer.echo(json.dumps({"error": facts}, default=str))
        raise typer.Exit(status_of(error)) from None
