"""`sameface reembed` and `forget-model`: an enrolled gallery under another embedding model."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.connection import AsJson
from app.commands.database import opened_database
from app.commands.progress import follow
from app.errors import ConfigurationError
from app.terminal import ExitStatus

if TYPE_CHECKING:
    from app.domain import Embedding, FaceCrop
    from app.faces.embed import FaceEmbedder
    from app.settings import Settings


def reembed(
    missing: Annotated[
        bool, typer.Option(help="Only print, as lines of JSON, whose faces have to be enrolled again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Embed the kept crops with the model that SAMEFACE_MODEL names, beside running servers; may be begun again.

    Exit status 1 where faces are left that no crop is kept of: they have to be enrolled again from their photographs.
    """
    from app.gallery import model_change
    from app.gallery.engine import database_errors
    from app.gallery.sealing import read_keys

    with opened_database(as_json=as_json) as (settings, engine):
        embedder = open_embedder(settings)
        model_id = embedder.card.id
        if missing:
            with database_errors(), engine.connect() as connection:
                for subject in model_change.missing_subjects(connection, model_id):
                    row = {"gallery": subject.gallery, "subject_id": subject.subject_id, "faces": subject.faces}
                    typer.echo(json.dumps(row, ensure_ascii=False))
            return
        keys = read_keys(settings.template_keys, settings.template_keys_file)
        with database_errors(), engine.connect() as connection:
            due = model_change.coverage(connection, model_id)
        steps = model_change.reembed(engine, model_id, keys, lambda crops: _embed(embedder, crops))
        follow("faces", due.with_crop, steps)
        with database_errors(), engine.connect() as connection:
            left = model_change.coverage(connection, model_id)
            total = model_change.count_faces(connection, model_id)
    facts = {"model_id": model_id, "faces": total, "missing": left.missing, "without_crop": left.without_crop}
    typer.echo(json.dumps(facts) if as_json else f"{total} faces are embedded with the model {model_id}")
    if left.missing:
        typer.echo(
            f"{left.missing} are not: {left.without_crop} have no crop and must be enrolled again (`sameface reembed "
            f"--missing` lists their subjects), {left.with_crop} came meanwhile or could not be read",
            err=True,
        )
        raise typer.Exit(ExitStatus.NO)


def forget_model(
    model_id: Annotated[str, typer.Argument(help="Id of a model that is no longer served, as GET /model gave it.")],
    lose_faces: Annotated[
        bool, typer.Option(help="Also where the served model has not embedded all faces: those are erased for good.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erase all embeddings of a model that is no longer served; subjects stay."""
    from app.gallery import model_change
    from app.gallery.engine import database_errors

    with opened_database(as_json=as_json) as (settings, engine):
        served = open_embedder(settings).card.id
        if model_id == served:
            raise ConfigurationError(f"{model_id} is the model that SAMEFACE_MODEL names; it cannot be forgotten")
        with database_errors(), engine.connect() as connection:
            count = model_change.count_faces(connection, model_id)
            left = model_change.coverage(connection, served)
        if left.missing and not lose_faces:
            raise ConfigurationError(
                f"{left.missing} faces have no embedding of the served model {served} and would be lost; run "
                "`sameface reembed` first, or give --lose-faces"
            )
        follow("faces", count, model_change.forget_model(engine, model_id))
        if settings.index == "milvus":
            _forget_in_milvus(settings, model_id)
    facts = {"model_id": model_id, "embeddings": count}
    typer.echo(json.dumps(facts) if as_json else f"{count} embeddings of the model {model_id} are erased")


def _forget_in_milvus(settings: "Settings", model_id: str) -> None:
    from app.gallery.milvus.catalogue import Catalogue
    from app.gallery.milvus.connection import MilvusConnection
    from app.gallery.opening import check_milvus

    connection = MilvusConnection(check_milvus(settings))
    try:
        Catalogue(connection, model_id, embedding_size=0).drop_all()  # makes none, so it needs no size
    finally:
        connection.close()


def open_embedder(settings: "Settings") -> "FaceEmbedder":
    """The embedder of the model that SAMEFACE_MODEL names."""
    from app.faces.embed import FaceEmbedder
    from app.faces.runtime import Device

    path = settings.weights_dir / f"{settings.model}.onnx"
    return FaceEmbedder(path, device=Device(settings.device), threads=settings.embedder_threads)


def _embed(embedder: "FaceEmbedder", crops: "Sequence[FaceCrop]") -> "list[Embedding | None]":
    """None where a crop is not a picture."""
    import numpy as np
    from PIL import UnidentifiedImageError

    from app.faces.kept_crop import crop_again

    vectors: list[Embedding | None] = [None] * len(crops)
    pixels, readable = [], []
    for number, crop in enumerate(crops):
        try:
            pixels.append(crop_again(crop, embedder.card.input.spec))
        except (UnidentifiedImageError, OSError, ValueError):
            continue
        readable.append(number)
    if pixels:
        for number, vector in zip(readable, embedder.embed(np.stack(pixels)), strict=True):
            vectors[number] = vector
    return vectors
