"""Photographs are found in what `pg_dump` writes of CompreFace's database."""

from pathlib import Path

import pytest

from app.bulk.compreface_dump import CompreFaceDump
from app.errors import ConfigurationError
from tests.bulk.compreface import DEMO_KEY, KEY, OTHER_KEY, Database, uuid_of

ANY_BYTES = bytes(range(256)) * 9
ODD_NAME = "Zoë\tde\\la\nCruz"

# As pg_dump 13 writes it, which CompreFace comes with; other tables left out.
PLAIN = rf"""--
-- PostgreSQL database dump
--
SET standard_conforming_strings = on;
COPY public.model (id, name, guid, app_id, api_key, type) FROM stdin;
1	Family	g	1	{KEY}	R
\.
COPY public.subject (id, api_key, subject_name) FROM stdin;
{uuid_of(1)}	{KEY}	Zo\303\253\tde\\la\nCruz
\.
COPY public.embedding (id, subject_id, embedding, calculator, img_id) FROM stdin;
{uuid_of(2)}	{uuid_of(1)}	{{0.1,0.2}}	facenet.Calculator	{uuid_of(4)}
{uuid_of(3)}	{uuid_of(1)}	{{0.1,0.2}}	facenet.Calculator	\N
\.
COPY public.img (id, content) FROM stdin;
{uuid_of(4)}	\\xffd8ff00
\.
"""


def read(path: Path, collection: str | None = None) -> list[tuple[str, str, bytes]]:
    found = CompreFaceDump(path).photographs(collection)
    return [(photograph.subject, photograph.image_id, photograph.read()) for photograph in found]


def test_rows_and_escapes_are_read_as_postgresql_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(PLAIN)
    assert read(path) == [(ODD_NAME, uuid_of(2), b"\xff\xd8\xff\x00"), (ODD_NAME, uuid_of(3), b"")]


def test_a_dump_of_a_real_database_is_read(compreface_database: Database, tmp_path: Path) -> None:
    compreface_database.add(1, ODD_NAME, ANY_BYTES)
    compreface_database.add(2, "Eileen", b"second")
    compreface_database.add(3, "Eileen", b"third")
    compreface_database.add(4, "Eileen", None)
    compreface_database.add(5, "demo", None, key=DEMO_KEY)
    assert sorted(read(compreface_database.dump(tmp_path / "dump.sql"))) == [
        ("Eileen", uuid_of(2), b"second"),
        ("Eileen", uuid_of(3), b"third"),
        ("Eileen", uuid_of(4), b""),
        (ODD_NAME, uuid_of(1), ANY_BYTES),
    ]


def test_a_photograph_with_embeddings_of_two_models_is_one(compreface_database: Database, tmp_path: Path) -> None:
    compreface_database.add(1, "Eileen", b"first", calculators=2)
    assert [content for _, _, content in read(compreface_database.dump(tmp_path / "dump.sql"))] == [b"first"]


def test_a_collection_is_named_by_its_service_or_key(compreface_database: Database, tmp_path: Path) -> None:
    compreface_database.add(1, "Eileen", b"first")
    compreface_database.add(2, "Eileen", b"second", key=OTHER_KEY)
    path = compreface_database.dump(tmp_path / "dump.sql")
    assert CompreFaceDump(path).collections == {KEY: "Family", OTHER_KEY: "Staff"}
    for name in ("Staff", OTHER_KEY):
        assert [content for _, _, content in read(path, name)] == [b"second"]
    for name in (None, "nobody", DEMO_KEY):
        with pytest.raises(ConfigurationError, match=rf"--collection must name one .*Family \({KEY}\), Staff"):
            read(path, name)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(["--inserts"], "made with --inserts"), (["--format=custom"], "pg_restore -f dump.sql")],
)
def test_another_kind_of_dump_is_refused_with_what_to_do(
    compreface_database: Database, tmp_path: Path, options: list[str], sentence: str
) -> None:
    compreface_database.add(1, "Eileen", b"first")
    with pytest.raises(ConfigurationError, match=sentence):
        CompreFaceDump(compreface_database.dump(tmp_path / "dump", *options))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it has no data of embedding, img, subject"),
        (b"\x1f\x8b\x08", "gunzip"),
        (PLAIN.replace("public.img", "public.image").encode(), "it has no data of img"),
    ],
)
def test_what_is_no_such_dump_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=sentence):
        CompreFaceDump(path)


@pytest.mark.parametrize("until", [r"\.", "facenet.Calculator", uuid_of(3)], ids=["end", "row", "value"])
def test_a_dump_that_was_not_written_to_its_end_is_refused(tmp_path: Path, until: str) -> None:
    """Its last table is `embedding` here: of the others all is there."""
    path = tmp_path / "dump.sql"
    tables = PLAIN.replace("COPY public.img", "COPY public.zzz").partition("COPY public.embedding")
    images = "COPY public.img (id, content) FROM stdin;\n\\.\n"
    whole = tables[0] + images + "".join(tables[1:])
    path.write_text(whole[: whole.index(until, whole.index("COPY public.embedding"))], "utf-8")
    with pytest.raises(ConfigurationError, match="not written to its end"):
        CompreFaceDump(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        CompreFaceDump(tmp_path / "nowhere.sql")
