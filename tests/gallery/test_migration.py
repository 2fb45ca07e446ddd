"""The schema: by migration and by tables the same, up and down, and by many processes at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.errors import ConfigurationError, NotReady
from app.gallery.engine import open_engine
from app.gallery.migration import _LOCK, downgrade, migrate
from app.gallery.tables import metadata


def described(engine: sa.Engine) -> dict[str, Any]:
    """What the database says of each table."""
    inspector = sa.inspect(engine)
    return {
        table: [
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted((key["constrained_columns"], key["referred_table"]) for key in inspector.get_foreign_keys(table)),
            sorted(tuple(unique["column_names"]) for unique in inspector.get_unique_constraints(table)),
            sorted(tuple(index["column_names"]) for index in inspector.get_indexes(table)),
            sorted((check["name"], check["sqltext"]) for check in inspector.get_check_constraints(table)),
        ]
        for table in metadata.tables
    }


def test_up_down_and_up_again(empty_url: str) -> None:
    engine = open_engine(empty_url)
    migrate(engine)
    first = described(engine)
    downgrade(engine, "base")
    assert sa.inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine)
    assert described(engine) == first
    engine.dispose()


def test_autogenerate_finds_nothing_to_do(migrated_engine: sa.Engine) -> None:
    with migrated_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_make_what_the_tables_say(migrated_engine: sa.Engine) -> None:
    migrated = described(migrated_engine)
    downgrade(migrated_engine, "base")
    metadata.create_all(migrated_engine)
    assert described(migrated_engine) == migrated


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    migrate(empty_url)


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(migrate, [empty_url] * 4)) == [None] * 4


def test_a_process_waits_for_one_that_migrates_longer_than_for_any_other_lock(postgres: Any) -> None:
    engine = open_engine(str(postgres.get_uri(database="migrated")), lock_timeout_seconds=0.2)
    migrate(engine)
    with ThreadPoolExecutor(1) as threads, engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        waiting = threads.submit(migrate, engine)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=1)
        connection.rollback()
        waiting.result(timeout=30)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "200ms"
    engine.dispose()


def test_a_database_of_a_later_version_is_refused(migrated_engine: sa.Engine) -> None:
    with migrated_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match="9999"):
        migrate(migrated_engine)


def test_a_failed_migration_leaves_nothing_behind(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE faces (id INTEGER)")
    with pytest.raises((NotReady, sa.exc.ProgrammingError)):
        migrate(engine)
    assert sa.inspect(engine).get_table_names() == ["faces"]
    engine.dispose()
