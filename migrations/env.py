"""Runs migrations on the connection that `app.gallery.migration` hands over, or for a developer at the prompt:

alembic -x database_url=sqlite:///data/sameface.db revision --autogenerate -m "Say what changes"
"""

from alembic import context
from sqlalchemy import Connection

from app.gallery.engine import WRITING, open_engine
from app.gallery.tables import metadata
from app.keys import table as _keys  # noqa: F401 - its tables belong to the same metadata


def run(connection: Connection) -> None:
    # SQLite too can undo DDL, once the driver leaves transactions alone.
    context.configure(
        connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = open_engine(context.get_x_argument(as_dictionary=True)["database_url"])
    with engine.execution_options(**WRITING).begin() as opened:
        run(opened)
