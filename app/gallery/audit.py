"""The audit log: who did what to whom, and which decisions were made. It holds no biometric data.

Each row carries sha256(hash of the row before + its own canonical JSON), so that a row that was altered, removed,
inserted or moved breaks the chain from there on. The one row of `audit_state` holds the end of the chain, and where it
begins once old rows were pruned. Whoever can write to the database can forge a whole new chain: keep the hash that
`sameface audit verify` prints somewhere else, and give it back to the next verification.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app import logs
from app.gallery.tables import audit_entries, audit_state

GENESIS = "0" * 64
_PAGE = 5_000
_PRUNE = "prune_audit"

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """What was found. `fault` says what is wrong at `broken_position`, the first row that does not fit."""

    entries: int
    first_position: int
    last_position: int
    last_hash: str
    broken_position: int | None = None
    fault: str | None = None


def entry(action: str, **facts: Any) -> Entry:
    """An entry of now, made by the request and the key that this code works for; a fact that is None is left out."""
    given = {
        "action": action,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "key_id": logs.key_id.get(),
        "request_id": logs.request_id.get(),
    }
    return {key: value for key, value in (given | facts).items() if value is not None}


def append(connection: sa.Connection, entries: Sequence[Entry]) -> None:
    """Add entries to the chain inside the caller's transaction; others who append wait until it ends."""
    if not entries:
        return
    taken = sa.update(audit_state).values(position=audit_state.c.position + len(entries))
    last, previous = connection.execute(taken.returning(audit_state.c.position, audit_state.c.hash)).one()
    rows = []
    for position, one in enumerate(entries, start=last - len(entries) + 1):
        text = _canonical(one)
        previous = _hash(previous, text)
        rows.append({"position": position, "at": _time(one), "entry": text, "hash": previous})
    connection.execute(sa.insert(audit_entries), rows)
    connection.execute(sa.update(audit_state).values(hash=previous))


def prune(connection: sa.Connection, retention: timedelta) -> int:
    """Delete the oldest entries, up to the first that is to be kept, and return how many.

    The hash of the last one deleted stays, so that the rest can still be verified. Entries of earlier prunings alone
    stay: each would be followed by another for ever.
    """
    cutoff = datetime.now(UTC) - retention
    oldest_kept = sa.select(sa.func.min(audit_entries.c.position)).where(audit_entries.c.at >= cutoff)
    # Locked: nobody appends meanwhile.
    state = connection.execute(sa.update(audit_state).values(id=1).returning(audit_state)).one()
    last = (connection.execute(oldest_kept).scalar_one() or state.position + 1) - 1
    pruned_hash = connection.execute(
        sa.select(audit_entries.c.hash).where(audit_entries.c.position == last)
    ).scalar_one_or_none()
    others = sa.select(audit_entries.c.position).where(
        audit_entries.c.position <= last, audit_entries.c.entry.not_like(f'%"action":"{_PRUNE}"%')
    )
    if pruned_hash is None or connection.execute(others.limit(1)).first() is None:
        return 0
    connection.execute(sa.delete(audit_entries).where(audit_entries.c.position <= last))
    connection.execute(sa.update(audit_state).values(pruned_position=last, pruned_hash=pruned_hash))
    append(connection, [entry(_PRUNE, up_to_position=last)])
    return int(last - state.pruned_position)


def verify(connection: sa.Connection, known_hash: str | None = None) -> AuditVerification:
    """Walk the chain from its beginning to the first row that does not fit, or to its end.

    `known_hash` is one that an earlier verification gave: a chain that does not contain it was forged. The caller's
    transaction must see one state of the database throughout.
    """
    state = connection.execute(sa.select(audit_state)).one()
    position, current = state.pruned_position, state.pruned_hash
    seen = known_hash in (None, current)
    pruned_up_to = 0

    def result(fault: str | None = None, broken: int | None = None) -> AuditVerification:
        checked = position - state.pruned_position
        return AuditVerification(checked, state.pruned_position + 1, position, current, broken, fault)

    for row in rows(connection):
        if row.position != position + 1:
            return result(f"entries {position + 1} to {row.position - 1} are missing", position + 1)
        if _hash(current, row.entry) != row.hash:
            return result("the entry does not fit its hash and the one before", row.position)
        entry_fault = _fault_of(row)
        if entry_fault is not None:
            return result(entry_fault, row.position)
        position, current = row.position, row.hash
        seen = seen or current == known_hash
        pruned_up_to = _pruned_up_to(row.entry) or pruned_up_to
    if (position, current) != (state.position, state.hash):
        return result(f"the chain was at {state.position} entries, the last rows are missing or added", position + 1)
    if pruned_up_to != state.pruned_position:
        return result("the entries before were removed, and not by pruning", state.pruned_position + 1)
    if not seen:
        return result("the hash of the earlier verification is not in this chain, nor was it the last one pruned")
    return result()


def rows(connection: sa.Connection) -> Iterator[sa.Row[Any]]:
    """position, at, entry and hash of all rows in order, a page at a time; `at` is the text that the database has."""
    after: int | None = None
    # As text, because what somebody wrote over a time need not be one.
    at = sa.cast(audit_entries.c.at, sa.String).label("at")
    columns = audit_entries.c.position, at, audit_entries.c.entry, audit_entries.c.hash
    while True:
        query = sa.select(*columns).order_by(audit_entries.c.position).limit(_PAGE)
        page = connection.execute(query if after is None else query.where(audit_entries.c.position > after)).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].position


def _pruned_up_to(text: str) -> int | None:
    one = json.loads(text)
    return int(one["up_to_position"]) if one.get("action") == _PRUNE else None


def _fault_of(row: sa.Row[Any]) -> str | None:
    """What is wrong with a row whose hash fits, as one that was forged with its hash can be."""
    try:
        one = json.loads(row.entry)
        at = _time(one)
        _pruned_up_to(row.entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "the entry is not one: it cannot be read, or says no time"
    try:
        column = datetime.fromisoformat(row.at)
    except (ValueError, TypeError):
        return f"the time that pruning goes by is not a time: {row.at!r}"
    column = column if column.tzinfo else column.replace(tzinfo=UTC)  # SQLite forgets it
    return None if column == at else "the time that pruning goes by is not that of the entry"


def _canonical(one: Entry) -> str:
    return json.dumps(one, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _hash(previous: str, text: str) -> str:
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _time(one: Entry) -> datetime:
    """Raises ValueError, KeyError or TypeError where there is no time with a zone."""
    at = datetime.fromisoformat(one["at"])
    if at.tzinfo is None:
        raise ValueError("a time needs a zone")
    return at
