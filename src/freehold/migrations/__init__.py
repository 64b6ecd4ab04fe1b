"""The schema's history, run by Alembic through `core.db.upgrade`; a test holds that it ends at the rooms' tables."""
