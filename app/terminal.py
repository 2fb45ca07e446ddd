"""What every command begins with: the settings, and an operator's mistakes told in a sentence."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from app import logs
from app.errors import SamefaceError, for_operator
from app.settings import Settings, load_settings, unknown_variables

logger = logging.getLogger(__name__)

_CANNOT_RUN = 3


def read_settings(**overrides: object) -> Settings:
    """Settings from the environment, except where an option was given; begins the log."""
    given = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    logs.configure_logging(given.log_level, given.log_format)
    for sentence in unknown_variables(os.environ):
        logger.warning(sentence)
    return given


@contextmanager
def plain_errors() -> Iterator[None]:
    """An operator's mistake is a sentence on standard error, not a traceback."""
    try:
        yield
    except SamefaceError as error:
        typer.echo(f"sameface: {for_operator(error)}", err=True)
        raise typer.Exit(_CANNOT_RUN) from None
