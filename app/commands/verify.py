"""`sameface verify`: do two photographs show the same face?"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.commands.connection import ApiKeyOption, AsJson, ServerOption, connected
from app.errors import BadInput
from app.terminal import ExitStatus, plain_errors

if TYPE_CHECKING:
    from app.client import Verification

Photograph = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A photograph.")]
ThresholdOption = Annotated[
    float | None, typer.Option(min=0, max=4, help="Squared L2 distance below which faces match.")
]


def verify(
    image1: Photograph,
    image2: Photograph,
    threshold: ThresholdOption = None,
    far: Annotated[
        float | None, typer.Option(help="Wanted false-accept rate, such as 0.001; chooses the threshold.")
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Refuse photographs that show several faces.")] = False,
    server: ServerOption = None,
    api_key: ApiKeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Do two photographs show the same face? Exit status 0 if they do, 1 if not."""

    async def ask() -> "Verification":
        async with connected(server, api_key) as client:
            with _naming(image1=image1, image2=image2):
                face: Literal["only", "largest"] = "only" if only else "largest"
                return await client.verify(image1, image2, threshold=threshold, far=far, face=face)

    with plain_errors(as_json=as_json):
        answer = asyncio.run(ask())
    typer.echo(answer.model_dump_json(indent=2) if as_json else _text(answer, image1, image2))
    raise typer.Exit(ExitStatus.YES if answer.verified else ExitStatus.NO)


@contextmanager
def _naming(**paths: Path) -> Iterator[None]:
    """Say which photograph an error is about by its path."""
    try:
        yield
    except BadInput as error:
        if error.field in paths:
            error.message = f"{paths[error.field]}: {error.message}"
        raise


def _text(answer: "Verification", image1: Path, image2: Path) -> str:
    verdict, sign = ("the same face", "<") if answer.verified else ("different faces", ">=")
    rate = "" if answer.far is None else f", where {answer.far:g} of strangers' pairs pass"
    lines = [f"{verdict}: distance {answer.distance:.4f} {sign} threshold {answer.threshold:.4f}{rate}"]
    if answer.distance_far is not None:
        share, (low, high) = answer.distance_far.estimate, answer.distance_far.ci95
        lines.append(f"{share:.2g} of strangers' pairs are as near as this (95 %: {low:.2g} to {high:.2g})")
    for path, face in ((image1, answer.face1), (image2, answer.face2)):
        more = "" if face.faces_found == 1 else f", the largest of {face.faces_found}"
        lines.append(f"{path}: a face of {face.face_px:.0f} px{more}")
    return "\n".join(lines)
