"""`sameface enroll`: a folder or a list of people into a gallery."""

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.connection import ApiKeyOption, AsJson, GalleryOption, ServerOption, connected
from app.errors import ConfigurationError, GalleryNotFound
from app.terminal import ExitStatus, plain_errors

if TYPE_CHECKING:
    from app.bulk.enrolment import Policy
    from app.bulk.outcomes import Outcome
    from app.bulk.people import Person
    from app.client import AsyncSameface


class OnSeveralFaces(StrEnum):
    """What becomes of a photograph that shows several faces."""

    REJECT = "reject"
    LARGEST = "largest"


class OnDuplicate(StrEnum):
    """What happens when a face already belongs to another subject."""

    REPORT = "report"
    REJECT = "reject"
    ALLOW = "allow"


def enroll(
    source: Annotated[
        Path,
        typer.Argument(
            exists=True,
            readable=True,
            help="A folder with a folder for each subject, named with the subject_id; or a CSV file with the columns "
            "subject_id and path (from the file's own folder), and perhaps name, metadata (JSON) and expires_at.",
        ),
    ],
    gallery: GalleryOption = "default",
    create: Annotated[bool, typer.Option("--create", help="Make the gallery if there is none of that name.")] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Requests at once; by default one a core.")] = os.cpu_count()
    or 1,
    on_several_faces: Annotated[
        OnSeveralFaces, typer.Option(help="A photograph that shows several faces.")
    ] = OnSeveralFaces.REJECT,
    on_duplicate: Annotated[
        OnDuplicate, typer.Option(help="A face that already belongs to another subject.")
    ] = OnDuplicate.REPORT,
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
    """Enrol many people. Stop it and run it again: it goes on where it was. Exit status 1 if any was rejected."""
    run = _Run(gallery, create, jobs, on_several_faces, on_duplicate, state, again)
    with plain_errors(as_json=as_json):
        from app.bulk.outcomes import write_report
        from app.bulk.people import read_people
        from app.bulk.summary import facts

        people = read_people(source)
        try:
            asyncio.run(run.enroll(people, source.resolve(), server, api_key))
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


class _Run:
    """One run of the command: what was asked for, and what came of it."""

    def __init__(
        self,
        gallery: str,
        create: bool,
        jobs: int,
        on_several_faces: OnSeveralFaces,
        on_duplicate: OnDuplicate,
        state: Path | None,
        again: bool,
    ) -> None:
        self._gallery = gallery
        self._create = create
        self._jobs = jobs
        self._on_several_faces = on_several_faces
        self._on_duplicate = on_duplicate
        self._state = state
        self._again = again
        self._started = time.monotonic()
        self.outcomes: list[Outcome] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def rejected(self) -> list["Outcome"]:
        return [outcome for outcome in self.outcomes if outcome.status == "rejected"]

    async def enroll(self, people: Sequence["Person"], source: Path, server: str | None, api_key: str | None) -> None:
        """Enrol them with a progress bar; the first error that stops everything is raised."""
        from app.bulk.enrolment import BulkEnrolment
        from app.bulk.outcomes import Progress

        async with connected(server, api_key) as client:
            created_at = await gallery_created_at(client, self._gallery, create=self._create)
            path = self._state or default_state("enroll", str(source), server, self._gallery, created_at)
            progress = Progress(path, again=self._again)
            try:
                if len(progress):
                    progress.keep({subject.subject_id async for subject in client.subjects(gallery=self._gallery)})
                with photographs_bar(sum(len(person.photographs) for person in people)) as advance:

                    def tell(outcomes: Sequence["Outcome"]) -> None:
                        self.outcomes += outcomes
                        advance(len(outcomes), len(self.rejected))

                    self._started = time.monotonic()
                    bulk = BulkEnrolment(client, self._policy, progress, jobs=self._jobs, tell=tell)
                    await bulk.run(people)
            except ExceptionGroup as several:  # of the first of the workers that could not go on
                raise several.exceptions[0] from None
            finally:
                progress.close()

    @property
    def _policy(self) -> "Policy":
        from app.bulk.enrolment import Policy

        return Policy(self._gallery, self._on_several_faces.value, self._on_duplicate.value)

    def print(self) -> None:
        """What came of it, for people."""
        from app.bulk.summary import rejects, sentences

        for sentence in rejects(self.outcomes):
            typer.echo(sentence, err=True)
        for sentence in sentences(self.outcomes, self._gallery, self.seconds):
            typer.echo(sentence)


async def gallery_created_at(client: "AsyncSameface", gallery: str, *, create: bool) -> str:
    """When the gallery was made, which tells it from another one of the same name; `create`: make it if need be."""
    try:
        return (await client.gallery(gallery)).created_at.isoformat()
    except GalleryNotFound as error:
        if not create:
            error.message += "; --create makes it"
            raise
    return (await client.create_gallery(gallery)).created_at.isoformat()


def default_state(command: str, source: str, server: str | None, gallery: str, created_at: str) -> Path:
    """A file for this source and this gallery; another database's gallery of the same name has another one."""
    home = os.environ.get("XDG_STATE_HOME")
    try:
        folder = Path(home) if home else Path.home() / ".local" / "state"
    except RuntimeError:
        raise ConfigurationError("there is no home folder to remember the progress in; --state names a file") from None
    of = "\0".join([source, server or "", gallery, created_at])
    return folder / "sameface" / f"{command}-{hashlib.sha256(of.encode()).hexdigest()[:16]}.jsonl"


@contextmanager
def photographs_bar(photographs: int) -> "Iterator[Any]":
    """A progress bar on standard error; yields what to call with more photographs, and the rejected ones so far."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rejected]} rejected"),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("photographs", total=photographs, rate="", rejected=0)

        def advance(more: int, rejected: int) -> None:
            progress.update(task, advance=more, rejected=rejected)
            speed = progress.tasks[0].speed
            progress.update(task, rate="" if speed is None else f"{speed:.1f} a second")

        yield advance
