"""Rights as in production: each service is a user of its own, at the brokers and in its database."""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from local_stack.access import Access, read_access
from local_stack.infra import Infra, Kafka
from local_stack.kafka_login import KafkaLogin
from local_stack.kafka_rights import grant
from local_stack.postgres_databases import give_rights
from product.running import NAMES, Product
from shared.kernel import migrations
from shared.messaging.access import KafkaAccess
from shared.testing.databases import drop_database


def admitted(admin: KafkaAccess | None, prefix: str, access: Access | None = None) -> dict[str, KafkaAccess]:
    """Everybody in the table of rights, by name; nobody where the brokers ask nobody who they are."""
    if admin is None or admin.username is None:
        return {}
    access = access or read_access()
    passwords = {name: secrets.token_urlsafe(12) for name in access.names}
    grant(KafkaLogin(admin.bootstrap_servers, admin.username, admin.password), access, passwords, prefix=prefix)
    return {name: KafkaAccess(admin.bootstrap_servers, prefix + name, password) for name, password in passwords.items()}


def as_service(admin_url: str) -> str:
    """A role of a service's own in a database that a superuser has migrated; returns the URL with that role."""
    server, _, database = admin_url.replace("+psycopg", "").rpartition("/")
    role, password = f"s_{database}", secrets.token_urlsafe(12)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        connection.execute(made)
        owner = connection.info.user
    asyncio.run(give_rights(f"{server}/{database}", service=role, owner=owner))
    host = server.rpartition("@")[2]
    return f"postgresql+psycopg://{role}:{password}@{host}/{database}"


def drop_service(admin_url: str) -> None:
    """Remove the database and the role."""
    drop_database(admin_url)
    server, _, database = admin_url.replace("+psycopg", "").rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"s_{database}")))


def own_servers(directory: Path, settings: Mapping[str, str] | None = None) -> Infra:
    """Servers that a test may kill, with a broker that lets in who can sign in; `settings` are the broker's."""
    log = directory / "logs" / "kafka.log"
    kafka = Kafka(directory / "kafka", log=log, password=secrets.token_urlsafe(12), extra_settings=settings)
    return Infra(directory, kafka=kafka)


async def on_servers(infra: Infra, directory: Path) -> Product:
    """A product on servers of its own, migrated by the owners of its databases; not started."""
    databases = await infra.create_databases(NAMES)
    for name, url in databases.owners.items():
        await asyncio.to_thread(migrations.upgrade, name, url)
    admin = infra.kafka.admin
    kafka = KafkaAccess(admin.bootstrap_servers, admin.username, admin.password)
    users = await asyncio.to_thread(admitted, kafka, "")
    return Product(directory, kafka, databases.services, "", users, replicas=infra.kafka.replicas)
