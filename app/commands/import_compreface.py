"""`sameface import-compreface`: the subjects of a CompreFace, their photographs embedded anew."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.bulk_run import AgainOption, BulkRun, CreateOption, OnSeveralFaces, ReportOption, StateOption
from app.commands.connection import DEFAULT_JOBS, ApiKeyOption, AsJson, GalleryOption, JobsOption, ServerOption
from app.errors import BadRequest
from app.terminal import plain_errors

if TYPE_CHECKING:
    from app.bulk.compreface import SavedPhotograph
    from app.bulk.outcomes import Progress
    from app.client import AsyncSameface
    from app.commands.bulk_run import Tell


def import_compreface(
    source: Annotated[
        str,
        typer.Argument(
            help="The address of a running CompreFace, as in http://localhost:8000, or a plain dump of its database "
            "(`pg_dump frs > dump.sql`)."
        ),
    ],
    gallery: GalleryOption = "default",
    create: CreateOption = False,
    compreface_key: Annotated[
        str | None,
        typer.Option(envvar="COMPREFACE_API_KEY", help="Key of the recognition service, for a running CompreFace."),
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(help="Name or key of the recognition service, for a dump that has several."),
    ] = None,
    jobs: JobsOption = DEFAULT_JOBS,
    on_several_faces: Annotated[
        OnSeveralFaces, typer.Option(help="A photograph that shows several faces; CompreFace saw one.")
    ] = OnSeveralFaces.LARGEST,
    report: ReportOption = None,
    state: StateOption = None,
    again: AgainOption = False,
    server: ServerOption = None,
    api_key: ApiKeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Enrol what CompreFace has saved. Stop it and run it again: it goes on where it was. Exit status 1 if any was
    rejected."""
    run = BulkRun(
        "import-compreface",
        gallery,
        create=create,
        report=report,
        state=state,
        again=again,
        server=server,
        api_key=api_key,
        as_json=as_json,
    )
    origin = _Origin(source, compreface_key, collection)
    with plain_errors(as_json=as_json):
        from app.bulk.compreface import CompreFaceImport

        with origin.photographs() as photographs:

            async def work(client: "AsyncSameface", progress: "Progress", tell: "Tell") -> None:
                importing = CompreFaceImport(
                    client,
                    progress,
                    gallery=gallery,
                    on_several_faces=on_several_faces.value,
                    jobs=jobs,
                    tell=tell,
                )
                await importing.run(photographs)

            run.enroll(work, source=origin.name, photographs=len(photographs))
    run.end()


@dataclass(frozen=True, slots=True)
class _Origin:
    """Which collection of which CompreFace."""

    source: str
    key: str | None
    collection: str | None

    @contextmanager
    def photographs(self) -> "Iterator[list[SavedPhotograph]]":
        """All that it has saved; they can be read until this ends."""
        if not self.source.startswith(("http://", "https://")):
            from app.bulk.compreface_dump import CompreFaceDump

            yield CompreFaceDump(Path(self.source)).photographs(self.collection)
            return
        from app.bulk.compreface_api import CompreFaceApi

        if self.key is None:
            raise BadRequest("a running CompreFace needs --compreface-key, the key of its recognition service")
        with CompreFaceApi(self.source, self.key) as compreface:
            yield compreface.photographs()

    @property
    def name(self) -> str:
        """What tells it from others, in one string; of the key only its hash."""
        key = hashlib.sha256((self.key or "").encode()).hexdigest()
        return "\0".join([self.source, self.collection or "", key])
