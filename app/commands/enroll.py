"""`sameface enroll`: a folder or a list of people into a gallery."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.bulk_run import AgainOption, BulkRun, CreateOption, OnSeveralFaces, ReportOption, StateOption
from app.commands.connection import DEFAULT_JOBS, ApiKeyOption, AsJson, GalleryOption, JobsOption, ServerOption
from app.terminal import plain_errors

if TYPE_CHECKING:
    from app.bulk.outcomes import Progress
    from app.client import AsyncSameface
    from app.commands.bulk_run import Tell


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
    create: CreateOption = False,
    jobs: JobsOption = DEFAULT_JOBS,
    on_several_faces: Annotated[
        OnSeveralFaces, typer.Option(help="A photograph that shows several faces.")
    ] = OnSeveralFaces.REJECT,
    on_duplicate: Annotated[
        OnDuplicate, typer.Option(help="A face that already belongs to another subject.")
    ] = OnDuplicate.REPORT,
    report: ReportOption = None,
    state: StateOption = None,
    again: AgainOption = False,
    server: ServerOption = None,
    api_key: ApiKeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Enrol many people. Stop it and run it again: it goes on where it was. Exit status 1 if any was rejected."""
    run = BulkRun(
        "enroll",
        gallery,
        create=create,
        report=report,
        state=state,
        again=again,
        server=server,
        api_key=api_key,
        as_json=as_json,
    )
    with plain_errors(as_json=as_json):
        from app.bulk.enrolment import BulkEnrolment, Policy
        from app.bulk.people import read_people

        people = read_people(source)
        policy = Policy(gallery, on_several_faces.value, on_duplicate.value)

        async def work(client: "AsyncSameface", progress: "Progress", tell: "Tell") -> None:
            await BulkEnrolment(client, policy, progress, jobs=jobs, tell=tell).run(people)

        photographs = sum(len(person.photographs) for person in people)
        run.enroll(work, source=str(source.resolve()), photographs=photographs)
    run.end()
