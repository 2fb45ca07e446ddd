"""`sameface import-compreface`: the subjects of a CompreFace, their photographs embedded anew."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.connection import ApiKeyOption, AsJson, GalleryOption, ServerOption, connected
from app.commands.enroll import OnSeveralFaces, default_state, gallery_created_at, photographs_bar
from app.errors import BadRequest
from app.terminal import ExitStatus, plain_errors

if TYPE_CHECKING:
    from app.bulk.compreface import SavedPhotograph
    from app.bulk.outcomes import Outcome, Progress
    from app.client import AsyncSameface


def import_compreface(
    source: Annotated[
        str,
        typer.Argument(
            help="The address of a running CompreFace, as in http://localhost:8000, or a plain dump of its database "
            "(`pg_dump frs > dump.sql`)."
        ),
    ],
    gallery: GalleryOption = "default",
    create: Annotated[bool, typer.Option("--create", help="Make the gallery if there is none of that name.")] = False,
    compreface_key: Annotated[
        str | None,
        typer.Option(envvar="COMPREFACE_API_KEY", help="Key of the recognition service, for a running CompreFace."),
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(help="Name or key of the recognition service, for a dump that has several."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Requests at once; by default one a core.")] = os.cpu_count()
    or 1,
    on_several_faces: Annotated[
        OnSeveralFaces, typer.Option(help="A photograph that shows several faces; CompreFace saw one.")
    ] = OnSeveralFaces.LARGEST,
    report: Annotated[
        Path | None, typer.Option(help="Write the photographs that somebody should look at to this CSV file.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="The file to resume from, instead of one in ~/.local/state/sameface.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Forget earlier runs and send every photograph.")] = False,
    server: ServerOption = None,
    api_key: ApiKeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Enrol what CompreFace has saved. Stop it and run it again: it goes on where it was. Exit status 1 if any was
    rejected."""
    origin = _Origin(source, compreface_key, collection)
    run = _Run(origin, gallery, create, jobs, on_several_faces, state, again)
    with plain_errors(as_json=as_json):
        from app.bulk.outcomes import write_report
        from app.bulk.summary import facts

        with origin.photographs() as photographs:
            try:
                asyncio.run(run.enroll(photographs, server, api_key))
            except KeyboardInterrupt:
                typer.echo("stopped; the same command goes on from here", err=True)
                raise typer.Exit(ExitStatus.INTERRUPTED) from None
            finally:
                if report is not None:
                    write_report(report, run.outcomes)
                if run.outcomes and not as_json:
                    run.print()
    if as_json:
        typer.echo(json.dumps(facts(run.outcomes, run.seconds), indent=2))
    raise typer.Exit(ExitStatus.NO if run.rejected else ExitStatus.YES)


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


class _Run:
    """One run of the command: what was asked for, and what came of it."""

    def __init__(
        self,
        origin: _Origin,
        gallery: str,
        create: bool,
        jobs: int,
        on_several_faces: OnSeveralFaces,
        state: Path | None,
        again: bool,
    ) -> None:
        self._origin, self._gallery, self._create = origin, gallery, create
        self._jobs, self._on_several_faces = jobs, on_several_faces
        self._state, self._again = state, again
        self._started = time.monotonic()
        self.outcomes: list[Outcome] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def rejected(self) -> "list[Outcome]":
        return [outcome for outcome in self.outcomes if outcome.status == "rejected"]

    async def enroll(self, photographs: "Sequence[SavedPhotograph]", server: str | None, api_key: str | None) -> None:
        """Enrol them with a progress bar; the first error that stops everything is raised."""
        from app.bulk.outcomes import Progress

        async with connected(server, api_key) as client:
            created_at = await gallery_created_at(client, self._gallery, create=self._create)
            of = self._origin.name
            path = self._state or default_state("import-compreface", of, server, self._gallery, created_at)
            progress = Progress(path, again=self._again)
            try:
                if len(progress):
                    progress.keep({subject.subject_id async for subject in client.subjects(gallery=self._gallery)})
                await self._enroll(client, progress, photographs)
            except ExceptionGroup as several:  # of the first of the workers that could not go on
                raise several.exceptions[0] from None
            finally:
                progress.close()

    async def _enroll(
        self, client: "AsyncSameface", progress: "Progress", photographs: "Sequence[SavedPhotograph]"
    ) -> None:
        from app.bulk.compreface import CompreFaceImport

        with photographs_bar(len(photographs)) as advance:

            def tell(outcomes: "Sequence[Outcome]") -> None:
                self.outcomes += outcomes
                advance(len(outcomes), len(self.rejected))

            importing = CompreFaceImport(
                client,
                progress,
                gallery=self._gallery,
                on_several_faces=self._on_several_faces.value,
                jobs=self._jobs,
                tell=tell,
            )
            self._started = time.monotonic()
            await importing.run(photographs)

    def print(self) -> None:
        """What came of it, for people."""
        from app.bulk.summary import rejects, sentences

        for sentence in rejects(self.outcomes):
            typer.echo(sentence, err=True)
        for sentence in sentences(self.outcomes, self._gallery, self.seconds):
            typer.echo(sentence)
