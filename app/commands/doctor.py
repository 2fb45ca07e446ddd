"""`sameface doctor`: is this installation, or that server, in order?"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from app.commands.connection import ApiKeyOption, AsJson, ServerOption
from app.terminal import ExitStatus, plain_errors, quiet_settings

if TYPE_CHECKING:
    from app.doctor.finding import Finding


def doctor(server: ServerOption = None, api_key: ApiKeyOption = None, as_json: AsJson = False) -> None:
    """Look at everything a service needs and say what to do; exit status 1 if anything is wrong. Changes nothing."""
    found = []
    with plain_errors(as_json=as_json):
        for finding in _findings(server, api_key):
            found.append(finding)
            if not as_json:
                _print(finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    wrong = sum(finding.verdict == "wrong" for finding in found)
    if not as_json:
        typer.echo(f"{wrong} of {len(found)} findings are wrong" if wrong else "nothing is wrong")
    raise typer.Exit(ExitStatus.NO if wrong else ExitStatus.YES)


def _findings(server: str | None, api_key: str | None) -> "Iterator[Finding]":
    if server is not None:
        from app.doctor.server import examine_server

        yield from examine_server(server, api_key)
        return
    from app.doctor.database import examine_database
    from app.doctor.index import examine_index
    from app.doctor.machine import examine_machine

    settings = quiet_settings()
    yield from examine_machine(settings)
    yield from examine_database(settings)
    yield from examine_index(settings)


def _print(finding: "Finding") -> None:
    from rich.console import Console
    from rich.markup import escape

    colour = {"ok": "green", "warning": "yellow", "wrong": "red"}[finding.verdict]
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[{colour}]{finding.verdict:>7}[/]  [bold]{finding.check}[/]: {escape(finding.detail)}")
    if finding.advice is not None:
        console.print(f"         {escape(finding.advice)}")
