"""Alembic's entry; the work is shared."""

from shared.kernel.migrations import run_env

run_env()
