"""A database of an earlier release, with people in it, answers the same after it was brought up to date."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.gallery.engine import open_engine
from app.gallery.migration import migrate
from app.settings import Settings
from tests.deployment.conftest import Deployment

EARLIER = ["0003", "0004"]


def reflected(engine: sa.Engine) -> sa.MetaData:
    metadata = sa.MetaData()
    metadata.reflect(engine)
    return metadata


def copy_rows(source: sa.Engine, target: sa.Engine) -> None:
    """Everything that the older schema has a place for; what it begins with goes."""
    new, old = reflected(source), reflected(target)
    with source.connect() as reading, target.begin() as writing:
        for table in reversed(old.sorted_tables):
            if table.name != "alembic_version":
                writing.execute(table.delete())
        for table in old.sorted_tables:
            if table.name == "alembic_version" or table.name not in new.tables:
                continue
            columns = [column for column in new.tables[table.name].columns if column.name in table.columns]
            rows = [dict(row._mapping) for row in reading.execute(sa.select(*columns))]
            if rows:
                writing.execute(table.insert(), rows)


@pytest.mark.parametrize("revision", EARLIER)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_people_of_an_earlier_schema_are_found_after_the_upgrade(
    settings: Settings, tmp_path: Path, request: pytest.FixtureRequest, kind: str, revision: str
) -> None:
    newest = Deployment(settings, f"sqlite:///{tmp_path / 'newest.db'}")
    newest.enroll()
    older_url = f"sqlite:///{tmp_path / 'older.db'}"
    if kind == "postgresql":
        server: Any = request.getfixturevalue("postgres")
        older_url = server.get_uri(database=request.getfixturevalue("new_database"))
    source, older = open_engine(newest.settings.database_url), open_engine(older_url)
    migrate(older, revision)
    copy_rows(source, older)
    source.dispose()
    older.dispose()
    assert Deployment(settings, older_url).answers() == newest.answers()
    upgraded = open_engine(older_url)
    with upgraded.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() > revision
    upgraded.dispose()
