"""Compares index, database and what the clients were told, after a restart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from app.gallery import audit
from app.gallery.engine import open_engine
from app.gallery.tables import face_crops, faces, gallery_state, subjects
from tests.gallery.crash.client import Client, Pending, Person, faces_of, probe


@dataclass(frozen=True, slots=True)
class Comparison:
    """`faults` are sentences; `applied` says for each unanswered write whether it was committed."""

    faults: list[str]
    applied: list[bool]


def in_index(url: str, photographs: Sequence[bytes]) -> tuple[int, dict[str, Person]]:
    """Revision and subjects as identifications find them; metadata is not in the index."""
    found: dict[str, Person] = {}
    revision = 0
    with httpx.Client(base_url=url, timeout=60) as http:
        for photograph, image in enumerate(photographs):
            answer = http.post("/identify", json=probe(image)).raise_for_status().json()
            revision = answer["gallery"]["revision"]
            for row in answer["faces"][0]["candidates"]:
                found.setdefault(row["subject_id"], Person(row["name"], {}, {}))
            for subject_id, face_id in faces_of(answer).items():
                found[subject_id].faces[photograph] = face_id
    return revision, found


def in_database(url: str) -> tuple[int, dict[str, Person], list[str]]:
    """Revision, subjects with the ids of their faces, and what is wrong with the file itself."""
    engine = open_engine(url)
    with engine.connect() as connection:
        revision = int(connection.execute(sa.select(gallery_state.c.revision)).scalar_one())
        people = {row.id: row for row in connection.execute(sa.select(subjects))}
        held: dict[str, Person] = {row.subject_id: Person(row.name, row.metadata, {}) for row in people.values()}
        for number, row in enumerate(connection.execute(sa.select(faces).where(faces.c.subject_key.is_not(None)))):
            held[people[row.subject_key].subject_id].faces[number] = row.face_id
        blank = sa.and_(faces.c.vector.is_(None), faces.c.content_sha256.is_(None))
        left = sa.select(sa.func.count()).where(faces.c.subject_key.is_(None), sa.not_(blank))
        faults = [] if connection.execute(left).scalar_one() == 0 else ["a tombstone is not blank"]
        faults += _crop_faults(connection)
        sound = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
        faults += [] if sound == "ok" else [f"integrity_check: {sound}"]
        chain = audit.verify(connection)
        faults += [] if chain.fault is None else [f"the audit log at position {chain.broken_position}: {chain.fault}"]
    engine.dispose()
    return revision, held, faults


def _crop_faults(connection: sa.Connection) -> list[str]:
    """Every live face has its crop, for the service keeps them, and no other crop is there."""
    live = sa.select(faces.c.face_id).where(faces.c.subject_key.is_not(None))
    wanted, kept = (set(connection.execute(query).scalars()) for query in (live, sa.select(face_crops.c.face_id)))
    return [
        f"{len(difference)} {what}"
        for what, difference in (("faces have no crop", wanted - kept), ("crops have no face", kept - wanted))
        if difference
    ]


def compare(url: str, database_url: str, clients: Sequence[Client], photographs: Sequence[bytes]) -> Comparison:
    """Compare, and let each client take over what became of its unanswered write."""
    index_revision, index = in_index(url, photographs)
    revision, database, faults = in_database(database_url)
    if index_revision != revision:
        faults.append(f"the index is at revision {index_revision}, the database at {revision}")
    faults += _differences(index, database)
    told = max(client.revision for client in clients)
    if told > revision:
        faults.append(f"a client was told revision {told}, but the database is at {revision}")
    applied: list[bool] = []
    for client in clients:
        if client.pending is not None:
            applied.append(_settle(client, client.pending, index, database, faults))
        faults += [f"{subject}: an acknowledged state is not there" for subject in _lost(client, index, database)]
    known = {subject for client in clients for subject in client.subject_ids}
    faults += [f"{subject}: nobody enrolled it" for subject in sorted(database.keys() - known)]
    return Comparison(faults, applied)


def _differences(index: Mapping[str, Person], database: Mapping[str, Person]) -> list[str]:
    def face_ids(person: Person | None) -> object:
        return None if person is None else (person.name, sorted(person.faces.values()))

    return [
        f"{subject}: the index has {face_ids(index.get(subject))}, the database {face_ids(database.get(subject))}"
        for subject in sorted(index.keys() | database.keys())
        if face_ids(index.get(subject)) != face_ids(database.get(subject))
    ]


def _settle(
    client: Client, pending: Pending, index: Mapping[str, Person], database: Mapping[str, Person], faults: list[str]
) -> bool:
    """Whether the unanswered write was committed; a state between before and after is a fault."""
    client.pending = None
    subject_id = pending.subject_id
    before, now = client.people.get(subject_id), _now(subject_id, index, database)
    if now == before:
        return False
    if now is None:
        if pending.photographs is not None:
            faults.append(f"{subject_id}: an unanswered enrolment has erased it")
        client.people.pop(subject_id)
        return True
    if (now.name, now.metadata, frozenset(now.faces)) != (pending.name, pending.metadata, pending.photographs):
        faults.append(f"{subject_id}: a half-write; it was {before}, should be {pending}, and is {now}")
    client.people[subject_id] = now
    return True


def _lost(client: Client, index: Mapping[str, Person], database: Mapping[str, Person]) -> list[str]:
    return [subject for subject in client.subject_ids if client.people.get(subject) != _now(subject, index, database)]


def _now(subject_id: str, index: Mapping[str, Person], database: Mapping[str, Person]) -> Person | None:
    """Name and metadata by the database, photographs by the index."""
    if subject_id not in index or subject_id not in database:
        return None
    row = database[subject_id]
    return Person(row.name, row.metadata, index[subject_id].faces)
