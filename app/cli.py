"""The `sameface` command."""

from typing import Annotated

import typer

from app.commands.audit import audit
from app.commands.erasure import verify_erasure
from app.commands.keys import keys
from app.commands.rotation import rotate_key
from app.settings import markdown_table
from app.terminal import plain_errors, read_settings

app = typer.Typer(
    help="sameface: face verification and identification over HTTP. Configured by SAMEFACE_ environment variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.command()(verify_erasure)
app.command()(rotate_key)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of SAMEFACE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port, instead of SAMEFACE_PORT.")] = None,
) -> None:
    """Bring the database up to date and serve HTTP until told to stop."""
    import uvicorn

    from app.main import create_app

    with plain_errors():
        settings = read_settings(host=host, port=port)
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

    with plain_errors():
        migrate_database(read_settings().database_url)


@app.command()
def settings() -> None:
    """Print every setting with its default as a Markdown table."""
    typer.echo(markdown_table())


if __name__ == "__main__":
    app()
