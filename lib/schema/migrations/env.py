"""What Alembic runs: it brings the connection that `runner` opened, in its transaction."""

from alembic import context

from lib.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=False,
)
context.run_migrations()
