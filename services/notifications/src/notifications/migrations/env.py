"""Alembic's entry."""

from shared.kernel.migrations import run_env

run_env()
