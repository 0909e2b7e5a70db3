"""Alembic's entry: migrates over the connection that `gateway.store.upgrade` hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite can undo DDL too; the caller's transaction holds every revision or none.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
