"""Databases with two roles each: the owner, as whom a service migrates, and its own, which changes no table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from local_stack.paths import WORK_TREE, read_json
from local_stack.ports import LOOPBACK
from local_stack.site import Site

RIGHTS = WORK_TREE / "deploy" / "compose" / "postgres" / "rights" / "service.sql"


@dataclass(frozen=True)
class Databases:
    """SQLAlchemy URLs (`postgresql+psycopg://…`) by database."""

    services: dict[str, str]
    """As the service: it reads and writes rows."""
    owners: dict[str, str]
    """As the owner, who may change the schema."""


def owner_role(service: str) -> str:
    """The role that owns a service's database."""
    return f"{service}_owner"


def kept_url(site: Site, role: str, database: str) -> str | None:
    """The SQLAlchemy URL of a stack's database as this role; None where the stack has never made it."""
    passwords = (read_json(site.directory / "postgres" / "postgres.json") or {}).get("passwords") or {}
    port = site.ports.get("postgres")
    if role not in passwords or port is None:
        return None
    return f"postgresql+psycopg://{role}:{passwords[role]}@{LOOPBACK}:{port}/{database}"


async def create_databases(admin_url: str, passwords: Mapping[str, str], services: list[str]) -> None:
    """Make each service's database with its two roles and their rights; harmless where they exist.

    `passwords` by role. What an earlier version made has one role that owns it all: it becomes the service's.
    """
    connection = await psycopg.AsyncConnection.connect(admin_url, autocommit=True)
    async with connection:
        cursor = await connection.execute("select rolname from pg_roles")
        roles = {str(row[0]) for row in await cursor.fetchall()}
        cursor = await connection.execute("select datname, pg_get_userbyid(datdba) from pg_database")
        owners = {str(name): str(owner) for name, owner in await cursor.fetchall()}
        for service in services:
            for role in (service, owner_role(service)):
                verb = sql.SQL("alter" if role in roles else "create")
                statement = sql.SQL("{} role {} login password {}")
                await connection.execute(statement.format(verb, sql.Identifier(role), sql.Literal(passwords[role])))
            if service not in owners:
                statement = sql.SQL("create database {} owner {}")
                await connection.execute(statement.format(*map(sql.Identifier, (service, owner_role(service)))))
    for service in services:
        await give_rights(
            f"{admin_url.rpartition('/')[0]}/{service}",
            service=service,
            owner=owner_role(service),
            before=service if owners.get(service) == service else None,
        )


async def give_rights(admin_url: str, *, service: str, owner: str, before: str | None = None) -> None:
    """Set the rights of both roles in the database of this URL (a superuser's); what `before` owned is the owner's."""
    text = re.sub(r':"(\w+)"', r"{\1}", RIGHTS.read_text(encoding="utf-8"))
    async with await psycopg.AsyncConnection.connect(admin_url) as connection:
        if before is not None:
            statement = sql.SQL("reassign owned by {} to {}")
            await connection.execute(statement.format(sql.Identifier(before), sql.Identifier(owner)))
        names = {"DBNAME": connection.info.dbname, "service": service, "owner": owner}
        rights = sql.SQL(text)
        await connection.execute(rights.format(**{name: sql.Identifier(value) for name, value in names.items()}))
