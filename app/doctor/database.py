"""The database: whether it answers, its schema, its clock and its API keys. It is read and not changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.doctor.finding import Finding, ok, warning, wrong
from app.errors import ConfigurationError, SamefaceError, for_operator
from app.gallery.engine import database_errors, open_engine
from app.gallery.migration import known_revisions, read_revision
from app.gallery.sealing import read_keys
from app.gallery.store import GalleryStore
from app.gallery.tables import audit_entries
from app.keys.store import KeyStore
from app.settings import Settings, variable

_TOLERANCE = timedelta(seconds=5)
_SOON = timedelta(days=14)


def examine_database(settings: Settings) -> Iterator[Finding]:
    """`database`, `clock`, `keys` and `faces`."""
    if settings.sqlite_file is not None and not settings.sqlite_file.exists():
        yield ok("database", f"{settings.sqlite_file} is made when the service starts")
        yield from _exposure(settings, 0)
        return
    try:
        engine = open_engine(settings.database_url)
    except SamefaceError as error:
        yield wrong("database", error.message, f"Correct {variable('database_url')}.")
        return
    try:
        with database_errors(), engine.connect() as connection:
            revision = read_revision(connection)
            schema = _schema(connection, revision)
            yield schema
            yield _clock(connection)
        if schema.advice is None:
            yield from _keys(settings, engine)
            yield from _faces(settings, engine)
        elif revision is None:
            yield from _exposure(settings, 0)
    except SamefaceError as error:
        advice = f"Start it, or correct {variable('database_url')}; identification goes on without it, writes do not."
        yield wrong("database", for_operator(error), advice)
    finally:
        engine.dispose()


def _schema(connection: sa.Connection, found: str | None) -> Finding:
    name = connection.dialect.name
    version = ".".join(map(str, connection.dialect.server_version_info or ()))
    known = known_revisions()
    if found is None:
        return warning("database", f"{name} {version} is empty", "`sameface migrate`, or start the service.")
    if found not in known:
        advice = "Install the later version of sameface that it was used with; it cannot be taken back by this one."
        return wrong("database", f"{name} {version} has the schema {found}, which this version does not know", advice)
    if found != known[-1]:
        advice = f"Back it up, then `sameface migrate`, or start the service: it brings it to {known[-1]}."
        return warning("database", f"{name} {version} has the schema {found}, of an older version", advice)
    return ok("database", f"{name} {version} answers and has the schema {found}, the latest")


def _clock(connection: sa.Connection) -> Finding:
    """Against PostgreSQL's clock, and against the newest thing that was written."""
    now = datetime.now(UTC)
    if connection.dialect.name == "postgresql":
        theirs = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        if abs(theirs - now) > _TOLERANCE:
            advice = "Keep both in time (NTP): keys and subjects expire by the clock."
            return warning("clock", f"it differs from PostgreSQL's by {abs(theirs - now)}", advice)
    if sa.inspect(connection).has_table(audit_entries.name):
        newest = connection.execute(sa.select(sa.func.max(audit_entries.c.at))).scalar_one()
        if newest is not None and newest - now > _TOLERANCE:
            advice = "Set the clock right (NTP): keys and subjects expire by it."
            return wrong("clock", f"it is behind: the last write was at {newest.isoformat(timespec='seconds')}", advice)
    return ok("clock", f"{now.isoformat(timespec='seconds')}, and nothing was written after that")


def _keys(settings: Settings, engine: sa.Engine) -> Iterator[Finding]:
    now = datetime.now(UTC)
    every = KeyStore(engine).all()
    usable = [key for key in every if key.usable(now)]
    ending = [key for key in usable if key.expires_at is not None and key.expires_at - now < _SOON]
    if every and not usable:
        advice = "`sameface keys create`: every request needs a key, and none is valid."
        yield wrong("keys", f"all {len(every)} API keys are revoked or expired", advice)
    elif ending:
        names = ", ".join(f"{key.key_id} ({key.name})" for key in ending)
        yield warning("keys", f"{len(usable)} valid; within two weeks these end: {names}", "`sameface keys create`")
    elif every:
        yield ok("keys", f"{len(usable)} of {len(every)} API keys are valid")
    yield from _exposure(settings, len(every))


def _faces(settings: Settings, engine: sa.Engine) -> Iterator[Finding]:
    """What a service asks of the rows before it listens. Where there is no model, or keys are wrong, others say so."""
    try:
        template_keys = read_keys(settings.template_keys, settings.template_keys_file)
        model_id = _model_id(settings)
    except (SamefaceError, ImportError):
        return
    store = GalleryStore(engine, model_id, template_keys)
    try:
        store.check_keys()
        store.check_model(start_without_faces=settings.start_without_faces)
    except ConfigurationError as error:
        yield wrong("faces", error.message, "The service does not start before that is settled.")
    else:
        yield ok("faces", f"the service can read them, with the model {model_id}")


def _model_id(settings: Settings) -> str:
    from app.faces.embed import FaceEmbedder

    return FaceEmbedder(settings.weights_dir / f"{settings.model}.onnx").card.id


def _exposure(settings: Settings, keys: int) -> Iterator[Finding]:
    if keys:
        return
    if settings.loopback_only:
        yield ok("keys", "there is no API key; only this machine is served")
    elif settings.allow_unauthenticated_public:
        setting = variable("allow_unauthenticated_public")
        advice = f"Make sure that something in front authenticates callers, or unset {setting}."
        yield warning("keys", "there is no API key, and other machines are served all the same", advice)
    else:
        advice = "`sameface keys create`, or listen on 127.0.0.1."
        yield wrong("keys", f"there is no API key, so the service refuses to listen on {settings.host}", advice)
