"""Alembic migrations of the desk's tables; `desk.database.open_database` runs them."""
