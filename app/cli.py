"""The `sameface` command."""

import json
from typing import Annotated

import typer

from app.commands.audit import audit
from app.commands.cluster import cluster
from app.commands.connection import AsJson
from app.commands.doctor import doctor
from app.commands.enroll import enroll
from app.commands.erasure import verify_erasure
from app.commands.health import health
from app.commands.identify import identify
from app.commands.import_compreface import import_compreface
from app.commands.keys import keys
from app.commands.model import forget_model, reembed
from app.commands.rebuild import rebuild_index
from app.commands.rotation import rotate_key
from app.commands.size import size
from app.commands.transfer import export_gallery, import_gallery
from app.commands.verify import verify
from app.terminal import plain_errors, read_settings

app = typer.Typer(
    help="sameface: face verification and identification over HTTP. Configured by SAMEFACE_ environment variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.command()(verify)
app.command()(identify)
app.command()(enroll)
app.command()(cluster)
app.command("export")(export_gallery)
app.command("import")(import_gallery)
app.command()(import_compreface)
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.command()(verify_erasure)
app.command()(rotate_key)
app.command()(doctor)
app.command()(health)
app.command()(size)
app.command()(reembed)
app.command()(forget_model)
app.command()(rebuild_index)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of SAMEFACE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port, instead of SAMEFACE_PORT.")] = None,
) -> None:
    """Bring the database up to date and serve HTTP until told to stop."""
    from app.main import create_app
    from app.serving import run

    with plain_errors():
        run(create_app(read_settings(host=host, port=port)))


@app.command()
def migrate(as_json: AsJson = False) -> None:
    """Bring the database up to date, and nothing else."""
    from app.gallery.migration import known_revisions
    from app.gallery.migration import migrate as migrate_database

    with plain_errors(as_json=as_json):
        migrate_database(read_settings().database_url)
    if as_json:
        typer.echo(json.dumps({"schema": known_revisions()[-1]}))


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Print every setting with its default as a Markdown table."""
    from app.settings import described, markdown_table

    typer.echo(json.dumps(described(), indent=2) if as_json else markdown_table())


if __name__ == "__main__":
    app()
