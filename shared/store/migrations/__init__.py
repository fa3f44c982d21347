"""Alembic migrations; `shared.store.schema` runs them."""
