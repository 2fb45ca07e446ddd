"""`sameface health`: should requests be sent to the service on this machine?"""

import typer

from app.probe import ask
from app.terminal import ExitStatus, plain_errors


def health() -> None:
    """Ask the service on this machine whether requests should be sent to it; exit status 1 if not."""
    from app.settings import load_settings

    with plain_errors():
        settings = load_settings()
    ready, said = ask(settings.host, settings.port)
    typer.echo(said, err=not ready)
    if not ready:
        raise typer.Exit(ExitStatus.NO)
