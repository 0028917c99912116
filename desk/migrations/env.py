"""Alembic's entry: runs the migrations on the connection that `desk.database` hands over."""

from __future__ import annotations

from alembic import context

from desk.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
