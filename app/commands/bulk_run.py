"""One run of a command that enrols many photographs: what was asked for, and what came of it."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from app.commands.connection import connected
from app.commands.progress import with_rejects
from app.errors import ConfigurationError, GalleryNotFound
from app.terminal import ExitStatus

if TYPE_CHECKING:
    from app.bulk.outcomes import Outcome, Progress
    from app.client import AsyncSameface

    Tell = Callable[[Sequence[Outcome]], None]
    Work = Callable[[AsyncSameface, Progress, Tell], Awaitable[None]]


class OnSeveralFaces(StrEnum):
    """What becomes of a photograph that shows several faces."""

    REJECT = "reject"
    LARGEST = "largest"


CreateOption = Annotated[bool, typer.Option("--create", help="Make the gallery if there is none of that name.")]
ReportOption = Annotated[
    Path | None, typer.Option(help="Write the photographs that somebody should look at to this CSV file.")
]
StateOption = Annotated[
    Path | None, typer.Option(help="The file to resume from, instead of one in ~/.local/state/sameface.")
]
AgainOption = Annotated[bool, typer.Option("--again", help="Forget earlier runs and send every photograph.")]


class BulkRun:
    """Enrols into one gallery with a progress bar, goes on where an earlier run stopped, and tells what came of it."""

    def __init__(
        self,
        command: str,
        gallery: str,
        *,
        create: bool,
        report: Path | None,
        state: Path | None,
        again: bool,
        server: str | None,
        api_key: str | None,
        as_json: bool,
    ) -> None:
        self._command, self._gallery, self._create = command, gallery, create
        self._report, self._state, self._again = report, state, again
        self._server, self._api_key, self._as_json = server, api_key, as_json
        self._started = time.monotonic()
        self.outcomes: list[Outcome] = []

    @property
    def seconds(self) -> float:
        """Since the first photograph."""
        return time.monotonic() - self._started

    @property
    def rejected(self) -> "list[Outcome]":
        return [outcome for outcome in self.outcomes if outcome.status == "rejected"]

    def enroll(self, work: "Work", *, source: str, photographs: int) -> None:
        """Do `work` to its end, and report what came of it even where it fails.

        `source` tells what is enrolled from anything else. The first error that stops everything is raised, and
        typer.Exit where somebody stopped it.
        """
        from app.bulk.outcomes import write_report

        if self._report is not None:
            write_report(self._report, [])  # a place where none can be is told before thousands are enrolled
        try:
            asyncio.run(self._enroll(work, source, photographs))
        except KeyboardInterrupt:
            typer.echo("stopped; the same command goes on from here", err=True)
            raise typer.Exit(ExitStatus.INTERRUPTED) from None
        finally:
            if self._report is not None:
                write_report(self._report, self.outcomes)
            if self.outcomes and not self._as_json:
                self._print()

    def end(self) -> NoReturn:
        """End the command with JSON where that was asked for, and with status 1 where a photograph was rejected."""
        from app.bulk.summary import facts

        if self._as_json:
            typer.echo(json.dumps(facts(self.outcomes, self.seconds), indent=2))
        raise typer.Exit(ExitStatus.NO if self.rejected else ExitStatus.YES)

    async def _enroll(self, work: "Work", source: str, photographs: int) -> None:
        from app.bulk.outcomes import Progress

        async with connected(self._server, self._api_key) as client:
            created_at = await self._gallery_created_at(client)
            progress = Progress(self._state or self._default_state(source, created_at), again=self._again)
            try:
                if len(progress):
                    progress.keep({subject.subject_id async for subject in client.subjects(gallery=self._gallery)})
                with with_rejects("photographs", photographs) as advance:

                    def tell(outcomes: "Sequence[Outcome]") -> None:
                        self.outcomes += outcomes
                        advance(len(outcomes), len(self.rejected))

                    self._started = time.monotonic()
                    await work(client, progress, tell)
            except ExceptionGroup as several:  # of the first of the workers that could not go on
                raise several.exceptions[0] from None
            finally:
                progress.close()

    async def _gallery_created_at(self, client: "AsyncSameface") -> str:
        """When the gallery was made, which tells it from another one of the same name."""
        try:
            return (await client.gallery(self._gallery)).created_at.isoformat()
        except GalleryNotFound as error:
            if not self._create:
                error.message += "; --create makes it"
                raise
        return (await client.create_gallery(self._gallery)).created_at.isoformat()

    def _default_state(self, source: str, created_at: str) -> Path:
        """A file for this source and gallery; another database's gallery of the same name has another one."""
        home = os.environ.get("XDG_STATE_HOME")
        try:
            folder = Path(home) if home else Path.home() / ".local" / "state"
        except RuntimeError:
            raise ConfigurationError(
                "there is no home folder to remember the progress in; --state names a file"
            ) from None
        of = "\0".join([source, self._server or "", self._gallery, created_at])
        return folder / "sameface" / f"{self._command}-{hashlib.sha256(of.encode()).hexdigest()[:16]}.jsonl"

    def _print(self) -> None:
        from app.bulk.summary import rejects, sentences

        for sentence in rejects(self.outcomes):
            typer.echo(sentence, err=True)
        for sentence in sentences(self.outcomes, self._gallery, self.seconds):
            typer.echo(sentence)
