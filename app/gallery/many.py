"""Many subjects at once: what takes a statement for each one in an enrolment takes a few for a whole page here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.domain import EnrolledSubject, NewFace
from app.gallery import audit, statements
from app.gallery.new_faces import FaceSorter
from app.gallery.tables import subjects
from app.gallery.transactions import Write


@dataclass(frozen=True, slots=True)
class NewSubject:
    """A subject with its faces; `values` are those of its row that are known: name, metadata, expires_at."""

    subject_id: str
    faces: Sequence[NewFace]
    values: Mapping[str, Any] = field(default_factory=dict)


def new_ones(connection: sa.Connection, gallery: int, given: Sequence[NewSubject]) -> list[NewSubject]:
    """Those that the gallery does not have, each id once."""
    first = {subject.subject_id: subject for subject in reversed(given)}
    there = sa.select(subjects.c.subject_id).where(subjects.c.gallery_id == gallery, subjects.c.subject_id.in_(first))
    known = set(connection.execute(there).scalars())
    return [subject for subject in given if subject is first[subject.subject_id] and subject.subject_id not in known]


def insert(
    write: Write, gallery: tuple[int, str], new: Sequence[NewSubject], sorter: FaceSorter, model_id: str, max_faces: int
) -> list[EnrolledSubject]:
    """Store subjects that are not there yet, all under one revision, each with its entry in the audit log.

    `gallery` is its key and its name. Raises BadRequest where one has more than `max_faces`.
    """
    key, name = gallery
    values = {subject.subject_id: subject.values for subject in new}
    keys = statements.insert_subjects(write.connection, key, values)
    rows: list[dict[str, Any]] = []
    entries: list[audit.Entry] = []
    enrolled: list[EnrolledSubject] = []
    for subject in new:
        given = sorter.sort_new(subject.faces, max_faces)
        place = {"gallery_id": key, "subject_key": keys[subject.subject_id], "model_id": model_id}
        rows += [place | face | {"revision": write.revision} for face in given.new]
        about = {"gallery": name, "subject_id": subject.subject_id, "created": True, "faces": len(given.new)}
        entries.append(audit.entry("enroll", revision=write.revision, **about))
        enrolled.append(EnrolledSubject(subject.subject_id, created=True, revision=write.revision, faces=given.stored))
    statements.insert_faces(write.connection, rows)
    audit.append(write.connection, entries)
    return enrolled
