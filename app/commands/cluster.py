"""`sameface cluster`: who is who in a folder of photographs."""

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.connection import DEFAULT_JOBS, ApiKeyOption, AsJson, JobsOption, ServerOption, connected
from app.commands.progress import counted
from app.commands.verify import ThresholdOption
from app.terminal import ExitStatus, plain_errors

if TYPE_CHECKING:
    from app.bulk.grouping import Groups


class Method(StrEnum):
    """How faces are put into groups; those of `POST /cluster`."""

    AGGLOMERATIVE = "agglomerative"
    DBSCAN = "dbscan"


def cluster(
    folder: Annotated[
        Path, typer.Argument(exists=True, file_okay=False, readable=True, help="A folder of photographs, and below.")
    ],
    page: Annotated[Path, typer.Option("--html", help="The page to write, with every face on it.")] = Path(
        "cluster.html"
    ),
    sheets: Annotated[
        Path | None, typer.Option(help="A folder to write a contact sheet to for each person seen more than once.")
    ] = None,
    method: Annotated[Method, typer.Option(help="How faces are put into groups.")] = Method.AGGLOMERATIVE,
    threshold: ThresholdOption = None,
    far: Annotated[
        float | None, typer.Option(help="Wanted false-accept rate of one comparison; by default the model's own.")
    ] = None,
    max_faces: Annotated[int, typer.Option(min=0, help="Most faces of a photograph, largest first; 0 is all.")] = 0,
    jobs: JobsOption = DEFAULT_JOBS,
    server: ServerOption = None,
    api_key: ApiKeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Group the faces of a folder by person and show them on one page. Exit status 1 if a photograph was not read."""

    async def ask(paths: list[Path]) -> "Groups":
        from app.bulk.grouping import FaceGrouper
        from app.domain import ClusterMethod

        async with connected(server, api_key) as client:
            with counted("photographs", len(paths)) as tell:
                grouper = FaceGrouper(client, jobs=jobs, max_faces=max_faces, tell=tell)
                return await grouper.group(paths, threshold=threshold, far=far, method=ClusterMethod(method))

    with plain_errors(as_json=as_json):
        from app.bulk.contact_sheet import summary, write_page, write_sheets
        from app.bulk.people import photographs_in
        from app.errors import BadRequest

        paths = photographs_in(folder)
        if not paths:
            raise BadRequest(f"{folder} holds no photographs")
        try:
            groups = asyncio.run(ask(paths))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None
        write_page(page, groups, folder)
        if sheets is not None:
            write_sheets(sheets, groups)
    typer.echo(json.dumps(_facts(groups), indent=2) if as_json else f"{summary(groups)}\n{page}")
    for unread in groups.unread:
        typer.echo(f"not read: {unread.path}: {unread.detail}", err=True)
    raise typer.Exit(ExitStatus.NO if groups.unread else ExitStatus.YES)


def _facts(groups: "Groups") -> dict[str, Any]:
    return {
        "groups": [
            {
                "group": number,
                "faces": [{"path": str(seen.path), "box": seen.face.box.model_dump()} for seen in group],
            }
            for number, group in enumerate(groups.groups)
        ],
        "unread": [{"path": str(u.path), "reason": u.reason, "detail": u.detail} for u in groups.unread],
        "photographs": groups.photographs,
        "threshold": groups.threshold,
        "far": groups.far,
        "model": {"id": groups.model.id, "sha256": groups.model.sha256},
    }
