"""The `sameface` command."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from app import logs
from app.errors import SamefaceError, for_operator
from app.settings import Settings, load_settings, markdown_table, unknown_variables

app = typer.Typer(
    help="sameface: face verification and identification over HTTP. Configured by SAMEFACE_ environment variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

logger = logging.getLogger(__name__)

_CANNOT_RUN = 3


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of SAMEFACE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port, instead of SAMEFACE_PORT.")] = None,
) -> None:
    """Bring the database up to date and serve HTTP until told to stop."""
    import uvicorn

    from app.main import create_app

    with _plain_errors():
        settings = _settings(host=host, port=port)
        uvicorn.run(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,  # its lines go through ours
            access_log=False,  # app.api.context logs each request with its id
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        )


@app.command()
def migrate() -> None:
    """Bring the database up to date, and nothing else."""
    from app.gallery.migration import migrate as migrate_database

    with _plain_errors():
        migrate_database(_settings().database_url)


@app.command()
def settings() -> None:
    """Print every setting with its default as a Markdown table."""
    typer.echo(markdown_table())


def _settings(**overrides: object) -> Settings:
    given = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    logs.configure_logging(given.log_level, given.log_format)
    for sentence in unknown_variables(os.environ):
        logger.warning(sentence)
    return given


@contextmanager
def _plain_errors() -> Iterator[None]:
    """An operator's mistake is a sentence on standard error, not a traceback."""
    try:
        yield
    except SamefaceError as error:
        typer.echo(f"sameface: {for_operator(error)}", err=True)
        raise typer.Exit(_CANNOT_RUN) from None


if __name__ == "__main__":
    app()
