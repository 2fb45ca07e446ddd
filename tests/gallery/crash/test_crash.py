"""A short campaign against the real service; the long one is run by hand."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.gallery.crash.campaign import Campaign

KILLS = 5


def test_what_clients_were_told_survives_kill_9_of_the_service(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, seed=7)
    for _ in range(KILLS):
        campaign.kill_once()
    summary = campaign.finish()
    assert summary["faults"] == []
    assert summary["kills"] == KILLS
    assert sum(summary["acknowledged"].values()) > 0


@pytest.mark.parametrize(
    "harm",
    ["UPDATE subjects SET metadata = '{}'", "DELETE FROM faces WHERE subject_key IS NOT NULL"],
    ids=["metadata", "faces"],
)
def test_a_database_that_lost_something_is_noticed(tmp_path: Path, harm: str) -> None:
    campaign = Campaign(tmp_path, seed=7)
    while not any(client.people for client in campaign.clients):
        campaign.kill_once()
    with closing(sqlite3.connect(tmp_path / "sameface.db", isolation_level=None)) as connection:
        connection.execute(harm)
    assert campaign.finish()["faults"]
