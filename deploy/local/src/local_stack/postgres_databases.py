"""Databases and their roles: one role per database, and no role reads another's."""

from collections.abc import Mapping
from typing import LiteralString

import psycopg
from psycopg import sql


async def create_databases(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Make each database and the role that owns it, both called by the key; harmless when they exist."""
    connection = await psycopg.AsyncConnection.connect(admin_url, autocommit=True)
    async with connection:
        roles = await _names(connection, "select rolname from pg_roles")
        databases = await _names(connection, "select datname from pg_database")
        for name, password in passwords.items():
            who, secret = sql.Identifier(name), sql.Literal(password)
            verb = sql.SQL("alter" if name in roles else "create")
            await connection.execute(sql.SQL("{} role {} login password {}").format(verb, who, secret))
            if name not in databases:
                await connection.execute(sql.SQL("create database {} owner {}").format(who, who))
                await connection.execute(sql.SQL("revoke all on database {} from public").format(who))


async def _names(connection: psycopg.AsyncConnection[tuple[str, ...]], query: LiteralString) -> set[str]:
    cursor = await connection.execute(query)
    return {row[0] for row in await cursor.fetchall()}
