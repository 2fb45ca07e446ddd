"""`sameface size`."""

import json

import pytest

from app.commands.size import count
from tests.commands.conftest import Command


def test_every_index_type_has_a_row(sameface: Command) -> None:
    ended = sameface("size", "100M")
    assert ended.exit_code == 0, ended.stderr
    assert "100,000,000 faces" in ended.stdout
    rows = [line.split()[0] for line in ended.stdout.splitlines() if line.startswith(" ")]
    assert rows == ["index", "FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW", "HNSW_SQ", "DISKANN"]
    assert "more than a machine holds" in ended.stdout


def test_json_has_the_same_and_what_was_asked(sameface: Command) -> None:
    ended = sameface("size", "1G", "--searches", "100", "--node-memory-gb", "256", "--node-cores", "32", "--json")
    document = json.loads(ended.stdout)
    assert document["load"]["faces"] == 10**9
    assert document["load"]["searches_per_second"] == 100
    assert document["node"]["cores"] == 32
    flat, *_, disk = document["milvus"]
    assert (flat["index_type"], flat["recall"]) == ("FLAT", 1.0)
    assert flat["nodes"] == flat["replicas"] * flat["nodes_per_replica"]
    assert (disk["index_type"], disk["recall"]) == ("DISKANN", None)
    assert all(row["searches_per_second"] >= 100 for row in document["milvus"])


def test_a_small_gallery_needs_no_milvus(sameface: Command) -> None:
    assert "fits into each replica" in sameface("size", "250_000").stdout


@pytest.mark.parametrize("arguments", [["many"], ["0"], ["1M", "--replicas", "0"], ["1M", "--enrolments", "1e9"]])
def test_what_cannot_be_is_a_wrong_question(sameface: Command, arguments: list[str]) -> None:
    ended = sameface("size", *arguments)
    assert ended.exit_code == 2
    assert "sameface: " in ended.stderr


@pytest.mark.parametrize(
    ("text", "faces"), [("7", 7), ("1,000", 1000), ("2.5k", 2500), ("100M", 10**8), ("1G", 10**9), ("1B", 10**9)]
)
def test_numbers_may_be_short(text: str, faces: int) -> None:
    assert count(text) == faces


@pytest.mark.parametrize("text", ["", "M", "ten", "nan", "infM"])
def test_what_is_no_number_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no number of faces"):
        count(text)
