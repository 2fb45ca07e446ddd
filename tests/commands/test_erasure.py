"""`sameface verify-erasure` as an operator uses it."""

import json
from pathlib import Path

from app.gallery.engine import open_engine
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face
from tests.processes import environment, run


def test_an_erasure_is_proven_and_what_is_still_there_is_found(database: Path) -> None:
    env = environment(database)
    told = run("verify-erasure", "--revision", "4", "--text", "Ada Lovelace", env=env)
    assert told.returncode == 0, told.stdout + told.stderr
    vector = database.with_name("vector")
    vector.write_bytes(new_face(2).embedding.tobytes())
    found = json.loads(run("verify-erasure", "--file", str(vector), "--json", env=env).stdout)
    assert [finding["ok"] for finding in found].count(False) == 1
    told = run("verify-erasure", "--file", str(vector), env=env)
    assert told.returncode == 1
    assert "32 of 32 pieces found, in sameface.db" in told.stdout


def test_text_is_found_in_metadata_too_where_letters_are_escaped(database: Path) -> None:
    store = GalleryStore(open_engine(f"sqlite:///{database}"), MODEL_ID)
    store.update_subject("default", "bob", {"metadata": {"note": 'J\u00fcrgen "M\u00fcller" aus K\u00f6ln'}})
    told = run("verify-erasure", "--text", 'J\u00fcrgen "M\u00fcller" aus K\u00f6ln', env=environment(database))
    assert told.returncode == 1
    assert "given text: FAILED" in told.stdout


def test_text_that_begins_as_somebody_elses_is_not_called_found(database: Path) -> None:
    store = GalleryStore(open_engine(f"sqlite:///{database}"), MODEL_ID)
    place = "https://people.example/staff/"
    store.update_subject("default", "bob", {"metadata": {"page": place + "000001"}})
    told = run("verify-erasure", "--text", place + "000002", env=environment(database))
    assert told.returncode == 0
    assert "given text: not provable from here; no text is there as a whole" in told.stdout


def test_nothing_is_not_looked_for(database: Path) -> None:
    (database.parent / "empty").touch()
    for options in (("--text", ""), ("--file", str(database.parent / "empty")), ("--revision", "9" * 24)):
        told = run("verify-erasure", *options, env=environment(database))
        assert told.returncode == 2, told.stderr
        assert "Traceback" not in told.stderr
