"""`sameface verify-erasure`: proof that what was erased is gone."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.connection import AsJson
from app.commands.database import opened_database
from app.commands.model import open_embedder
from app.errors import BadRequest, ConfigurationError
from app.terminal import ExitStatus

if TYPE_CHECKING:
    import sqlalchemy as sa

    from app.gallery.erasure import Finding
    from app.settings import Settings


def verify_erasure(
    revision: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="The revision that an erasure answered: nothing of it may be left."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A name or other text that must not be in the files; may be repeated.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(help="A file whose bytes must not be in the files, such as a vector in float32; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that erasing leaves nothing: erase a subject of random numbers, look for its bytes, exit 1 if any is left.

    It may run beside a service. A face_id is kept by design, and so are subject ids in the audit log.
    """
    from app.gallery.erasure import verify_erasure as verify

    with opened_database(as_json=as_json) as (settings, engine):
        if "" in (text or []):
            raise BadRequest("--text is empty, which is in every file; give what must not be there", field="text")
        texts = [form for given in text or [] for form in sorted(_forms(given))]
        wanted = [_content(path) for path in file or []]
        findings = verify(engine, wanted=wanted, texts=texts, receipt_revision=revision)
        if settings.index == "milvus":
            findings += _in_milvus(settings, engine)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    words = {True: "ok", False: "FAILED", None: "not provable from here"}
    for finding in [] if as_json else findings:
        typer.echo(f"{finding.check}: {words[finding.ok]}; {finding.detail}")
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(ExitStatus.NO)


def _in_milvus(settings: "Settings", engine: "sa.Engine") -> "list[Finding]":
    from app.gallery.milvus.catalogue import Catalogue
    from app.gallery.milvus.connection import MilvusConnection
    from app.gallery.milvus.erasure import verify_erasure as verify
    from app.gallery.opening import check_milvus

    card = open_embedder(settings).card
    connection = MilvusConnection(check_milvus(settings))
    try:
        return verify(engine, connection, Catalogue(connection, card.id, card.embedding_size), card.id)
    finally:
        connection.close()


def _forms(text: str) -> set[bytes]:
    """A text as the columns of the database hold it, and as JSON does in metadata and kept answers."""
    return {text.encode(), json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode()}


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    if not content:
        raise BadRequest(f"{path} is empty; give the bytes that must not be there", field="file")
    return content
