"""`sameface identify`: whose faces are in a photograph?"""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.connection import ApiKeyOption, AsJson, GalleryOption, ServerOption, connected
from app.commands.verify import Photograph, ThresholdOption
from app.terminal import ExitStatus, plain_errors

if TYPE_CHECKING:
    from rich.table import Table

    from app.client import Identification


def identify(
    image: Photograph,
    gallery: GalleryOption = "default",
    top_k: Annotated[int, typer.Option(min=1, help="Most candidates for a face.")] = 5,
    max_faces: Annotated[int, typer.Option(min=0, help="Most faces looked up, largest first; 0 is all.")] = 0,
    threshold: ThresholdOption = None,
    fpir: Annotated[
        float | None,
        typer.Option(help="Wanted chance that a stranger is given any name, such as 0.01; chooses the threshold."),
    ] = None,
    server: ServerOption = None,
    api_key: ApiKeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Whose faces are these? Exit status 0 if anybody is known, 1 if nobody is, 4 if there is no face."""

    async def ask() -> "Identification":
        async with connected(server, api_key) as client:
            return await client.identify(
                image, gallery=gallery, top_k=top_k, max_faces=max_faces, threshold=threshold, fpir=fpir
            )

    with plain_errors(as_json=as_json):
        answer = asyncio.run(ask())
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
    else:
        _print(answer)
    raise typer.Exit(_status(answer))


def _status(answer: "Identification") -> ExitStatus:
    if not answer.faces:
        return ExitStatus.PHOTOGRAPH
    return ExitStatus.YES if any(face.candidates for face in answer.faces) else ExitStatus.NO


def _print(answer: "Identification") -> None:
    from rich.console import Console

    searched = f"gallery {answer.gallery.name}: {answer.gallery.subjects} subjects, {answer.gallery.faces} faces"
    chance = "" if answer.fpir is None else f", at which {answer.fpir:.2g} of strangers are given a name"
    if not answer.calibrated:
        chance += " (beyond what the calibration supports)"
    if answer.faces:
        Console().print(_table(answer))
    else:
        typer.echo("no face was found", err=True)
    typer.echo(f"{searched}; threshold {answer.threshold:.4f}{chance}", err=True)


def _table(answer: "Identification") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("face", "left, top", "size", "who", "name", "distance")
    for number, face in enumerate(answer.faces, start=1):
        place = f"{face.box.left:.0f}, {face.box.top:.0f}"
        rows = [(escape(c.subject_id), escape(c.name or ""), f"{c.distance:.4f}") for c in face.candidates]
        for position, row in enumerate(rows or [("unknown", "", "")]):
            first = (str(number), place, f"{face.face_px:.0f} px") if position == 0 else ("", "", "")
            table.add_row(*first, *row)
    return table
